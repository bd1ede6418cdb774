"""Sections on properties: of the ensembles of a campaign one after another, and of the newest beside others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.rendering import comparison_notes, format_quantity
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.comparison.table import Row, comparison_table
from aiida_anial.properties.property import Column
from aiida_anial.properties.registry import keyed_columns
from aiida_anial.report.page.elements import Axis, Chart, Section, Series, Table
from aiida_anial.report.page.panels import panel_charts
from aiida_anial.report.page.sources import PageSources

__all__ = ('benchmark_section', 'properties_section')


def properties_section(sources: PageSources) -> Section | None:
    """Return the section on properties by iteration, or None if none were computed."""
    rows = sources.status['properties']
    if not rows:
        return None
    _, reference = sources.compared
    columns: dict[str, tuple[str, Column]] = {}
    for of_property, column in keyed_columns():
        if column.in_status:
            columns.setdefault(column.key, (of_property, column))
    of = [_row_of_ensemble(sources.ensembles, row['iteration']) for row in rows]
    charts = [_by_iteration(rows, of, name, column, reference) for name, column in columns.values()]
    return Section(
        key='properties',
        title='Properties by iteration',
        paragraphs=('Lines mark what DFT gives, if the newest ensemble was compared with it, and the literature.',),
        charts=[chart for chart in charts if chart is not None],
    )


def _row_of_ensemble(ensembles: Sequence[Mapping[str, Any]], iteration: int | str) -> int:
    """Return the row of the ensemble that was trained after an iteration; -1 if there is none."""
    stages = {0: 'initial training', 'final': 'final training'}
    for row, one in enumerate(ensembles):
        if one['iteration'] == iteration or (one['stage'] is not None and one['stage'] == stages.get(iteration)):
            return row
    return -1


def _by_iteration(
    rows: Sequence[Mapping[str, Any]], of: Sequence[int], of_property: str, column: Column, reference: Subject | None
) -> Chart | None:
    values = [row[column.key] for row in rows]
    if all(value is None for value in values):
        return None
    numbered = [row['iteration'] for row in rows if isinstance(row['iteration'], int)]
    last = max(numbered, default=0)
    # The final training comes after the last iteration.
    at = [row['iteration'] if isinstance(row['iteration'], int) else last + 1 for row in rows]
    ticks = {float(number): str(number) for number in numbered} | {
        float(last + 1): str(row['iteration']) for row in rows if not isinstance(row['iteration'], int)
    }
    levels = {one.value.value: one.label for one in references(of_property, column.quantity)}
    if reference is not None and column.quantity in reference.result(of_property).quantities:
        levels[reference.result(of_property).quantities[column.quantity].value] = reference.name
    unit = f' ({column.unit})' if column.unit != '1' else ''
    return Chart(
        title=column.help,
        x=Axis(label='iteration', ticks=ticks),
        y=Axis(label=f'{column.heading or column.quantity}'.replace('\n', ' ').split(' ')[0] + unit),
        series=[Series(name='ensemble', x=at, y=values, draw='both', of='ensembles', rows=of)],
        levels=levels,
    )


def benchmark_section(sources: PageSources) -> Section | None:
    """Return the section on the benchmarks of the newest ensemble, or None if there are none."""
    subjects, reference = sources.compared
    if not subjects:
        return None
    rows = comparison_table(subjects, reference=reference)
    pks = ', '.join(str(benchmark.pk) for benchmark in sources.benchmarks)
    return Section(
        key='benchmark',
        title='Properties of the newest ensemble',
        paragraphs=(
            f'From the benchmarks {pks}. In brackets is the spread over the members, in units of the last digit.',
            *comparison_notes(subjects),
        ),
        charts=list(panel_charts(subjects, {key: row for row, key in enumerate(sources.results)})),
        tables=list(_tables(rows)),
    )


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    """Yield a table for each property."""
    for name in dict.fromkeys(row.property_name for row in rows):
        chosen = [row for row in rows if row.property_name == name]
        subjects = list(dict.fromkeys(subject for row in chosen for subject in row.values))
        sources = list(dict.fromkeys(one.label for row in chosen for one in row.references))
        body = [_cells(row, subjects, sources) for row in chosen]
        caption = name.replace('_', ' ')
        yield Table(headings=('quantity', 'unit', *subjects, *sources), rows=body, caption=caption, is_folded=True)


def _cells(row: Row, subjects: Sequence[str], sources: Sequence[str]) -> list[str]:
    literature = {one.label: one.value for one in row.references}
    found = [row.values.get(subject) for subject in subjects] + [literature.get(source) for source in sources]
    cells = ['–' if one is None or not np.isfinite(one.value) else format_quantity(one) for one in found]  # noqa: RUF001 - a dash in a table
    return [row.quantity.replace('_', ' '), row.unit if row.unit != '1' else '', *cells]
