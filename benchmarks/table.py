"""Writes the table of ``docs/topics/engine.md`` from ``benchmarks/results/engine.json``.

``run.py`` calls it; a test looks whether page and file agree. By hand, from the repository root::

    python benchmarks/table.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import common
from page import Page


@dataclass(frozen=True)
class Line:
    """A line of the table; names are those of figures, None where there is nothing to say.

    :param label: what was measured, with its unit; figures in braces are put in.
    :param own: the package.
    :param rival: torchani.
    :param ratio: how many times better the package is.
    :param goal: what the package was built to reach.
    """

    label: str
    own: str | None
    rival: str | None = None
    ratio: str | None = None
    goal: str = ''


def _md(name: str, label: str, goal: str = '') -> Line:
    rate = 'atom_steps_per_s'
    figures = (f'md_{name}_{rate}', f'md_{name}_torchani_{rate}', f'md_{name}_ratio_torchani')
    return Line(f'MD, {label} (atom-steps/s)', *figures, goal)


LINES: Final = (
    _md('55', '55 atoms'),
    _md('108', '108 atoms', '67,000; 50 times'),
    _md('256', '256 atoms'),
    _md('2048', '2,048 atoms'),
    _md('batch16', '16 cells of 55 to 250 atoms', '60,000'),
    Line('MD, 108 atoms, both with a tuned allocator', None, None, 'md_108_ratio_torchani_tuned'),
    Line('Training epoch (s)', 'train_epoch_s', 'train_epoch_torchani_s', 'train_epoch_ratio_torchani', '80 times'),
    Line('Descriptors before the first epoch (s)', 'train_preparation_s'),
    Line('Training to 3 meV/atom on labels by {accuracy_teacher} (s)', 'time_to_3mev_s', 'time_to_3mev_torchani_s'),
    Line('Neighbour list, 108 atoms (µs an atom)', 'neighbours_108_us_per_atom', None, 'neighbours_108_ratio_torchani'),
    Line(
        'Neighbour list, 2,048 atoms (µs an atom)',
        'neighbours_2048_us_per_atom',
        None,
        'neighbours_2048_ratio_torchani',
    ),
    Line('Memory for 100,000 atoms, forces and stress (GiB)', 'memory_100k_atoms_gib', None, None, '1.86 (2 GB)'),
    Line('Memory for an atom (KiB)', 'memory_kib_per_atom', 'memory_torchani_kib_per_atom', 'memory_ratio_torchani'),
    Line('Arithmetic floor, 108 atoms (atom-steps/s)', 'floor_atom_steps_per_s'),
    Line('Part of the floor that is reached: evaluation', 'floor_fraction_evaluate'),
    Line('Part of the floor that is reached: MD, all included', 'floor_fraction_sample'),
    Line("Cost of all members' forces, times the mean's", 'evaluate_member_forces_cost'),
    Line('MD, 16 cells: a process for each core instead of threads', None, None, 'processes_over_threads'),
    Line('First evaluation, never compiled (s)', 'startup_never_compiled_s'),
    Line('First evaluation, compiled before (s)', 'startup_compiled_before_s'),
)


def _measured(results: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return the cells of the lines that something has been measured for."""

    def number(name: str | None) -> str:
        value = results.get(name) if name else None
        return '' if value is None else common.text(value)

    rows = []
    for line in LINES:
        cells = (number(line.rival), number(line.own), number(line.ratio))
        if any(cells):
            rows.append((line.label.format(**results), *cells, line.goal))
    return rows


def render(results: Mapping[str, Any]) -> str:
    """Return the table and a sentence on the machine, in Markdown."""
    rows = [('', 'torchani', 'aiida-anial', 'times better', 'goal'), ('---', '---:', '---:', '---:', '---:')]
    rows += _measured(results)
    lines = ['| ' + ' | '.join(cells) + ' |' for cells in rows]
    machine = results['machine']
    versions = ', '.join(f'{name} {number}' for name, number in machine['versions'].items())
    forms = {name: 'short' if content['short'] else 'long' for name, content in results['scripts'].items()}
    long = [name for name, form in forms.items() if form == 'long']
    dates = sorted(content['date'][:10] for content in results['scripts'].values())
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores, {machine["threads"]} threads for every program, {dates[-1]}. '
        f'{versions}. Long forms: {", ".join(long) or "none"}.'
    )
    return '\n'.join([*lines, '', where])


def summary(results: Mapping[str, Any]) -> common.Result:
    """Return the same table for the terminal."""
    names = ('measured', 'torchani', 'aiida-anial', 'times better', 'goal')
    return common.Result('The engine', [dict(zip(names, row, strict=True)) for row in _measured(results)])


PAGE: Final = Page('engine.md', 'engine.json', 'table.py', 'bench', render)

if __name__ == '__main__':
    PAGE.write()
