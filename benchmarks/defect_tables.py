"""The table of defects in small cells in ``docs/topics/benchmarks.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pages import Page, table, versions

__all__ = ('DEFECTS',)

# Heading of a row with its unit, property, quantity, digits.
_LINES: Final = (
    ('vacancy (meV)', 'vacancy', 'formation_energy', 0),
    ('dumbbell (meV)', 'dumbbell', 'formation_energy', 0),
    ('intrinsic fault (mJ/m²)', 'slip', 'stable_fault', 0),
    ('barrier before it (mJ/m²)', 'slip', 'unstable_fault', 0),
    ('twin of two layers (mJ/m²)', 'twin', 'stable_twin', 0),
    ('surface (111) (mJ/m²)', 'surfaces', 'energy_111', 0),
    ('surface (100) (mJ/m²)', 'surfaces', 'energy_100', 0),
    ('surface (110) (mJ/m²)', 'surfaces', 'energy_110', 0),
    ('X longitudinal (THz)', 'phonons', 'x_longitudinal', 2),
    ('X transverse (THz)', 'phonons', 'x_transverse', 2),
    ('L longitudinal (THz)', 'phonons', 'l_longitudinal', 2),
    ('L transverse (THz)', 'phonons', 'l_transverse', 2),
)
_NAMES: Final = {'qe': 'PBE', 'Al_laptop': 'Al-laptop', 'model_Al_75': 'ANI-Al'}


def _defects(results: Mapping[str, Any]) -> str:
    subjects = results['subjects']
    rows = [
        [heading, *(_cell(one.get(name, {}).get(quantity), digits) for one in subjects.values())]
        for heading, name, quantity, digits in _LINES
        if any(quantity in one.get(name, {}) for one in subjects.values())
    ]
    machine = results['machine']
    hours = ', '.join(f'{name} {hours:.1f} h' for name, hours in results['hours'].items())
    said = f'{machine["cpu"]}, {machine["cores"]} cores, all subjects one after another: {hours}. {versions(machine)}.'
    return f'{table(["", *(_NAMES.get(name, name) for name in subjects)], rows)}\n\n{said}'


def _cell(quantity: Mapping[str, Any] | None, digits: int) -> str:
    return '' if quantity is None or quantity['value'] is None else f'{quantity["value"]:.{digits}f}'


DEFECTS: Final = Page('benchmarks.md', 'defects.json', 'bench-defects', _defects)
