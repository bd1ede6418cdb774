"""The unit of a quantity, from its name."""

from __future__ import annotations

import re

__all__ = ('unit_of',)

# The longer end first.
_ENDS = (
    ('_ev_per_sqrt_atom', 'eV/√atom'),
    ('_mev_per_atom', 'meV/atom'),
    ('_ev_per_angstrom3', 'eV/Å³'),
    ('_ev_per_angstrom', 'eV/Å'),
    ('_per_angstrom2', '1/Å²'),
    ('_per_angstrom', '1/Å'),
    ('_g_per_cm3', 'g/cm³'),
    ('_angstrom3', 'Å³'),
    ('_angstrom', 'Å'),
    ('_gpa', 'GPa'),
    ('_mev', 'meV'),
    ('_ev', 'eV'),
    ('_ry', 'Ry'),
    ('_rad', 'rad'),
    ('_ps', 'ps'),
    ('_fs', 'fs'),
    ('_k', 'K'),
)

# Arrays that carry none in their name; see the page on conventions.
_NAMES = (
    (r'positions?|lattices?|cells?', 'Å'),
    (r'energies|label_energies|member_energies|energy|fermi_energy', 'eV'),
    (r'forces|(member_)?force_(rmse|mae)|force_max_error|force_disagreement_(mean|max)', 'eV/Å'),
    (r'(train|validation)_force_rmse', 'eV/Å'),
    (r'(train|validation)_energy_rmse', 'meV/atom'),
    (r'(train|selection)_loss', 'eV²'),
    (r'stresses|stress_rmse', 'eV/Å³'),
    (r'stress', 'GPa'),
    (r'energy_disagreement', 'eV/√atom'),
    (r'times', 'ps'),
)


def unit_of(name: str) -> str:
    """Return the unit that the last part of a dotted name tells, or nothing."""
    last = name.rpartition('.')[2]
    for end, unit in _ENDS:
        if last.endswith(end):
            return unit
    return next((unit for pattern, unit in _NAMES if re.fullmatch(pattern, last)), '')
