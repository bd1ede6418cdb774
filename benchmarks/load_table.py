"""Writes the table of ``docs/topics/load.md`` from ``benchmarks/results/load.json``.

``load.py`` calls it; a test looks whether page and file agree. By hand, from the repository root::

    python benchmarks/load_table.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import common
from page import Page

__all__ = ('PAGE', 'render')

_ORDER: Final = ('1', '2', '4')
_CHAIN, _BARE = 'chain', 'bare'

# What was measured, where it is in a series, and the goal.
_LINES: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ('Labels by `LabelWorkChain`', (_CHAIN, 'n_labels'), ''),
    ('Labels by bare work chains', (_BARE, 'n_labels'), ''),
    ('Wall time, a label (s)', (_CHAIN, 'wall_s_per_label'), '1, two workers'),
    ('The same, bare (s)', (_BARE, 'wall_s_per_label'), ''),
    ('Processes an hour', (_CHAIN, 'processes_per_hour'), ''),
    ('CPU of the workers, a label (s)', (_CHAIN, 'engine_s_per_label'), ''),
    ('The same, bare (s)', (_BARE, 'engine_s_per_label'), ''),
    ('Ratio', ('engine_ratio',), '1.1'),
    ('Ratio, with the scripts that submit', ('engine_ratio_with_scripts',), ''),
    ('Collecting the labels, a label (s)', (_CHAIN, 'collecting_s_per_label'), ''),
    ('A child from start to end, median (s)', (_CHAIN, 'child_s'), ''),
    ('Most children alive, from the graph', (_CHAIN, 'most_alive'), '{max_concurrent}'),
    ('Most children alive, polled', (_CHAIN, 'most_alive_polled'), '{max_concurrent}'),
    ('Slot empty, labels of {pause_s} s and more, median (s)', ('paced', 'slot_idle_median_s'), ''),
    ('Slot empty, labels of {pause_s} s and more, longest (s)', ('paced', 'slot_idle_max_s'), '{poll_s:g}, one poll'),
    ('Slot empty, workers at their limit, median (s)', (_CHAIN, 'slot_idle_median_s'), ''),
    ('Slot empty, workers at their limit, longest (s)', (_CHAIN, 'slot_idle_max_s'), ''),
    ('The same, bare (s)', (_BARE, 'slot_idle_max_s'), ''),
    ('Memory of a worker, last, largest (MiB)', ('rss_mib_last',), ''),
    ('Growth of a worker, largest (MiB for 1,000 labels)', ('growth',), '0'),
    ('Standard error of that', ('growth', 'error'), ''),
    ('Database connections, most', ('connections_most',), ''),
    ('Open files of a worker, most', ('files_most',), ''),
)


def _value(series: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Return the figure; of all workers the one that has most of it."""
    if names[0] == 'growth':
        grown = [one for one in series.get('growth', ()) if one]
        most: Mapping[str, Any] = max(grown, key=lambda one: one['mib_per_1000'], default={})
        return most.get(names[-1] if len(names) > 1 else 'mib_per_1000')
    value: Any = series
    for name in names:
        value = value.get(name) if value is not None else None
    return max(value) if isinstance(value, list) else value


def render(results: Mapping[str, Any]) -> str:
    """Return the table and two sentences on the rest, in Markdown."""
    series = {name: results['series'][name] for name in _ORDER if name in results['series']}
    head = [['Daemon workers', *series, 'goal'], ['---', *['---:'] * (len(series) + 1)]]
    rows = [
        [label.format(**results), *(common.text(_value(one, names)) for one in series.values()), goal.format(**results)]
        for label, names, goal in _LINES
    ]
    lines = ['| ' + ' | '.join(row) + ' |' for row in [*head, *rows]]
    machine = results['machine']
    versions = ', '.join(f'{name} {number}' for name, number in machine['versions'].items())
    what = (
        f'At most {results["max_concurrent"]} calculations at once, {results["cells_per_chain"]} cells a '
        f'`LabelWorkChain` at most, {results["n_atoms"]} atoms a cell. The first '
        'quarter of the samples of the memory counts as warm-up and not as growth.'
    )
    if results['quick']:
        what += ' This was the quick form, with too few labels for the growth to mean much.'
    loads = ', '.join(f'{one["load_average_at_start"]:.1f}' for one in series.values())
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores for daemon and servers, {results["date"][:10]}; load averages '
        f'before each column {loads}. {versions}.'
    )
    return '\n'.join([*lines, '', what, '', where])


PAGE: Final = Page('load.md', 'load.json', 'load_table.py', 'bench-load', render)

if __name__ == '__main__':
    PAGE.write()
