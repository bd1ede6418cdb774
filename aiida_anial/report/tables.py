"""Write the tables and the plots of a release."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiida_anial.properties.comparison.rendering import comparison_numbers, comparison_text
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.figures.write import write_figures
from aiida_anial.queries.benchmarks import compared_subjects
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.rejections import reason_counts
from aiida_anial.report.claims import Claims
from aiida_anial.report.parity import parity_on_test_blocks
from aiida_anial.report.plots import write_plots
from aiida_anial.report.sources import (
    ReleaseSources,
    published_columns,
    published_iterations,
    published_records,
)

__all__ = ('write_records', 'write_table')


def write_table(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write ``NAME.csv`` and ``NAME.json``, and return their paths.

    :param rows: at least one row; all have the keys of the first, and plain values.
    """
    table, listing = folder / f'{name}.csv', folder / f'{name}.json'
    with table.open('w', encoding='utf-8', newline='') as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    listing.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    return [table, listing]


def write_records(sources: ReleaseSources, folder: Path) -> dict[str, Any]:
    """Write tables and plots, and return their entries for the data card."""
    labelled = sources.trained_on
    parity = parity_on_test_blocks(sources.ensemble.ensemble, labelled)
    found = published_records(sources.campaign)
    tables = {'iterations': ('The campaign by iteration.', published_iterations(sources.status['iterations']))}
    tables |= {name: (KINDS[name].help, rows) for name, rows in found.items()}
    if parity is not None:
        tables['test_errors'] = ('Errors of each member on its test block.', list(parity.records(labelled)))
    (folder / 'tables').mkdir()
    for name, (_, rows) in tables.items():
        write_table(folder / 'tables', name, rows)
    subjects, reference = compared_subjects(sources.benchmarks)
    compared = comparison_table(subjects, reference=reference)
    if compared:
        numbers = comparison_numbers(compared)
        tables['properties'] = ('Properties of the potential, of other potentials, and from the literature.', numbers)
        write_table(folder / 'tables', 'properties', numbers)
    write_table(folder / 'tables', 'columns', published_columns(found))
    (folder / 'plots').mkdir()
    captions = write_plots(
        folder / 'plots',
        iterations=sources.status['iterations'],
        labels=sources.labels,
        curves=sources.curves,
        parity=parity,
        claims=Claims.of(sources.fresh_errors),
    )
    for path in write_figures(subjects, folder / 'plots'):
        captions[path.stem] = f'Benchmark: {path.stem.replace("_", " ")}.'
    return {
        'tables': [{'name': name, 'n_rows': len(rows), 'content': text} for name, (text, rows) in tables.items()],
        'plots': captions,
        'has_properties': bool(compared),
        'properties': comparison_text(compared),
        'hottest': max((row['max_temperature_k'] for row in found.get('trajectories', [])), default=None),
        'stops': reason_counts(row['stop_reason'] for row in found.get('trajectories', [])),
    }
