"""A comparison as text for a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.references import Kind
from aiida_anial.properties.comparison.results import Subject, property_names
from aiida_anial.properties.comparison.table import Row
from aiida_anial.properties.registry import PROPERTIES

__all__ = (
    'comparison_csv',
    'comparison_notes',
    'comparison_numbers',
    'comparison_records',
    'comparison_text',
    'format_quantity',
)

# Decimals of numbers without an uncertainty, by unit.
_DIGITS = {
    '1': 3,
    'angstrom': 4,
    'angstrom3/atom': 2,
    'GPa': 1,
    'eV': 2,
    'meV': 0,
    'meV/atom': 1,
    'mJ/m2': 1,
    '%': 1,
    'THz': 2,
}
_DEFAULT_DIGITS = 3
_MISSING = '-'
_LITERATURE = '|'
# Columns before those of the subjects: the quantity and its unit.
_N_NAMES = 2
_CSV_COLUMNS = ('property', 'quantity', 'unit', 'source', 'kind', 'value', 'uncertainty', 'citation')


def comparison_text(rows: Sequence[Row], *, width: int | None = None) -> str:
    """Return a table for each property: columns for the subjects, a line, and columns for literature sources.

    ``116.3(4)`` means 116.3 with an uncertainty of 0.4.

    :param width: characters of a line; columns for which it is too narrow are named below the table. By default, all
        columns are shown.
    """
    names = dict.fromkeys(row.property_name for row in rows)
    return '\n\n'.join(_section(name, [row for row in rows if row.property_name == name], width) for name in names)


def comparison_notes(subjects: Iterable[Subject]) -> list[str]:
    """Return the notes of all subjects, one line each."""
    return [
        f'{subject.name}, {name}: {note}'
        for subject in subjects
        for name in property_names([subject])
        for note in subject.results[name].notes
    ]


def comparison_csv(rows: Sequence[Row]) -> str:
    """Return CSV with a line for every number, with all digits; see ``comparison_numbers``."""
    buffer = io.StringIO()
    numbers = comparison_numbers(rows)
    writer = csv.DictWriter(buffer, _CSV_COLUMNS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(numbers)
    return buffer.getvalue()


def comparison_numbers(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a record for every number; the kind of computed ones is ``computed``, and missing values are empty."""
    numbers: list[tuple[Any, ...]] = []
    for row in rows:
        start = (row.property_name, row.quantity, row.unit)
        numbers += [(*start, subject, 'computed', *_numbers(value), '') for subject, value in row.values.items()]
        numbers += [(*start, one.source, one.kind, *_numbers(one.value), one.citation) for one in row.references]
    return [dict(zip(_CSV_COLUMNS, number, strict=True)) for number in numbers]


def comparison_records(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Return ``{subject: {property: {quantity: {value, unit, uncertainty}}}}``, for JSON."""
    records: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in rows:
        for subject, quantity in row.values.items():
            of_property = records.setdefault(subject, {}).setdefault(row.property_name, {})
            of_property[row.quantity] = quantity.to_dict()
    return records


def format_quantity(quantity: Quantity) -> str:
    """Return the value with its significant digits, and the uncertainty in units of the last digit.

    The uncertainty has one digit, or two if the first is 1. It is not shown if it is more than a hundred times smaller
    than the last digit that is usual for the unit.
    """
    if not math.isfinite(quantity.value):
        return _MISSING
    usual = _DIGITS.get(quantity.unit, _DEFAULT_DIGITS)
    uncertainty = quantity.uncertainty
    if uncertainty is not None and math.isfinite(uncertainty) and uncertainty > 0:
        first, exponent = f'{uncertainty:.1e}'.split('e')
        digits = (1 if first.startswith('1') else 0) - int(exponent)
        if digits <= usual + 2:
            digits = max(digits, 0)
            return f'{quantity.value:z.{digits}f}({round(uncertainty * 10**digits)})'
    if quantity.unit == '1' and quantity.value.is_integer():
        return f'{quantity.value:.0f}'
    return f'{quantity.value:z.{usual}f}'


def _section(name: str, rows: Sequence[Row], width: int | None) -> str:
    """Return the table of one property."""
    table = _cells(name, rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    n_shown = _n_fitting(widths, width)
    missing = [text for text in table[0][n_shown:] if text != _LITERATURE]
    # The line stands before a source.
    n_shown -= table[0][n_shown - 1] == _LITERATURE
    heading, *body = [_line(cells[:n_shown], widths[:n_shown]) for cells in table]
    rule = '-' * (sum(widths[:n_shown]) + 2 * (n_shown - 1))
    told = [f'Too narrow for {", ".join(missing)}; --wide shows all.'] if missing else []
    return '\n'.join([heading, rule, *body, *_explanations(name, rows), *told])


def _cells(name: str, rows: Sequence[Row]) -> list[list[str]]:
    """Return the cells of the table of one property, line by line."""
    subjects = list(dict.fromkeys(subject for row in rows for subject in row.values))
    known = {one.source: one for row in rows for one in row.references}
    sources = sorted(known, key=lambda source: get_args(Kind).index(known[source].kind))
    line = [_LITERATURE] if sources else []
    table = [[name, '', *subjects, *line, *(known[source].label for source in sources)]]
    for row in rows:
        unit = row.unit if row.unit != '1' else ''
        literature = {one.source: one.value for one in row.references}
        table.append(
            [
                row.quantity,
                unit,
                *(_cell(row.values.get(subject)) for subject in subjects),
                *line,
                *(_cell(literature.get(source)) for source in sources),
            ]
        )
    return table


def _n_fitting(widths: Sequence[int], width: int | None) -> int:
    """Return how many columns fit a line, from the left; the names and the first subject always do."""
    n_shown = len(widths)
    while width is not None and n_shown > _N_NAMES + 1 and sum(widths[:n_shown]) + 2 * (n_shown - 1) > width:
        n_shown -= 1
    return n_shown


def _explanations(name: str, rows: Sequence[Row]) -> list[str]:
    """Return a line for each quantity whose name does not say enough."""
    columns = {row.quantity: PROPERTIES[name].column(row.quantity) for row in rows if name in PROPERTIES}
    return [f'{quantity}: {one.help}.' for quantity, one in columns.items() if one is not None and one.is_explained]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line, with names aligned to the left and numbers to the right."""
    padded = [
        cell.ljust(width) if column < _N_NAMES else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return '  '.join(padded).rstrip()


def _cell(quantity: Quantity | None) -> str:
    return _MISSING if quantity is None else format_quantity(quantity)


def _numbers(quantity: Quantity) -> list[Any]:
    """Return value and uncertainty, empty if not finite."""
    record = quantity.to_dict()
    return ['' if record[key] is None else record[key] for key in ('value', 'uncertainty')]
