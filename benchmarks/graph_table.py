"""Writes the table of ``docs/topics/graph-size.md`` from ``benchmarks/results/graph.json``.

``graph.py`` calls it; a test looks whether page and file agree. By hand, from the repository root::

    python benchmarks/graph_table.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import common
from page import Page

__all__ = ('PAGE', 'render')

COLUMNS: Final = ('sqlite', 'postgresql', 'postgresql_100000')

# What was measured, its key, the goal for SQLite, and by how much to divide.
_LINES: Final = (
    ('Labels', 'n_labels', '', 1),
    ('Nodes', 'n_nodes', '', 1),
    ('Links', 'links', '', 1),
    ('Export of all labels, extended XYZ (s)', 'export_extxyz_s', '5', 1),
    ('Export of all labels, HDF5 (s)', 'export_hdf5_s', '3', 1),
    ('Export of 11 of 30 iterations, extended XYZ (s)', 'export_extxyz_filtered_s', '', 1),
    ('Export of 11 of 30 iterations, HDF5 (s)', 'export_hdf5_filtered_s', '', 1),
    ('Count of labels by filters, the slowest (s)', 'count_s', '0.2', 1),
    ('Records of all labels (s)', 'records_s', '', 1),
    ('Status of the campaign (s)', 'status_s', '1', 1),
    ('All labels node by node, from a sample of 100 (s)', 'naive_s', '', 1),
    ('The same, times the export to extended XYZ', 'naive_ratio_export_extxyz', '', 1),
    ('Import of 400 labels (s)', 'import_s', '', 1),
    ('Links into the last training job', 'training_job_links', '', 1),
    ('Database, a label (KiB)', 'database_bytes_per_label', '', 1024),
    ('File repository, a label (KiB)', 'repository_bytes_per_label', '', 1024),
    ('Archive of the campaign (s)', 'archive_s', '', 1),
    ('Archive, a label (KiB)', 'archive_bytes_per_label', '', 1024),
)


def _rows(results: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for label, key, goal, divisor in _LINES:
        values = [results.get(column, {}).get(key) for column in COLUMNS]
        cells = ['' if value is None else common.text(value / divisor if divisor > 1 else value) for value in values]
        growth = results.get(COLUMNS[-1], {}).get('growth_exponents', {}).get(key)
        rows.append([label, *cells, '' if growth is None else f'{growth:.2f}', goal])
    return rows


def render(results: Mapping[str, Any]) -> str:
    """Return the table and two sentences on the rest, in Markdown."""
    head = [['', 'SQLite', 'PostgreSQL', 'PostgreSQL', 'growth', 'goal'], ['---', *['---:'] * 5]]
    lines = ['| ' + ' | '.join(row) + ' |' for row in [*head, *_rows(results)]]
    small, machine = results['small_campaign'], results['machine']
    versions = ', '.join(f'{name} {number}' for name, number in machine['versions'].items())
    own, tiny, large = (
        results[key] for key in ('nodes_per_label', 'campaign_nodes_per_label', 'campaign_nodes_per_label_6352')
    )
    nodes = (
        f'The small campaign has {small["n_labels"]} real labels. Each takes {own:.1f} nodes of its own, those of the '
        'random cell and the trajectory that it came from included (goal: 12). With all that is there once a cycle, an '
        f'iteration or a campaign, a label of that small campaign has {tiny:.1f} nodes, and one of '
        f'{results["sqlite"]["n_labels"]:,} has {large:.1f}.'
    )
    loads = [results[column]['load_average_at_start'] for column in COLUMNS if column in results]
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores, {results["date"][:10]}; load averages before the measurements '
        f'{", ".join(f"{load:.1f}" for load in loads)}. {versions}.'
    )
    return '\n'.join([*lines, '', nodes, '', where])


PAGE: Final = Page('graph-size.md', 'graph.json', 'graph_table.py', 'bench-graph', render)

if __name__ == '__main__':
    PAGE.write()
