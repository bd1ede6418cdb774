"""The result of one comparison, with its unit."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ('Record', 'Verdict', 'unit_of')

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


class Verdict(StrEnum):
    """What a comparison found, from good to bad."""

    IDENTICAL = 'identical'
    WITHIN = 'within tolerance'
    OTHER_VERSION = 'other version'
    OTHER_MACHINE = 'other machine'
    FAILED = 'failed'

    @property
    def is_fine(self) -> bool:
        """Whether the step kept what it promises."""
        return self is not Verdict.FAILED

    @property
    def rank(self) -> int:
        """The place from good to bad."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Record:
    """One quantity of one output, the first time and again.

    :param output: label of its link, with dots between namespaces; empty: the step itself.
    :param identical: whether it has the same bits.
    :param deviation: the largest absolute one, in ``unit``; None where it cannot be measured, as for text.
    :param tolerance: the largest deviation that the kind of step promises; None where none is promised.
    :param note: what there is to add, in half a sentence.
    """

    output: str
    quantity: str
    identical: bool
    verdict: Verdict
    deviation: float | None = None
    unit: str = ''
    tolerance: float | None = None
    note: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON knows."""
        return asdict(self)
