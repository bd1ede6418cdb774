"""Records of a comparison: one quantity each, with its verdict, deviation and unit."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ('Record', 'Verdict', 'unit_of')

# Suffixes of names; a longer suffix comes before a shorter one that it ends with.
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

# Arrays without a unit in their name; see the page on conventions.
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
    """Return the unit given by the last part of a dotted name, or an empty string."""
    last = name.rpartition('.')[2]
    for end, unit in _ENDS:
        if last.endswith(end):
            return unit
    return next((unit for pattern, unit in _NAMES if re.fullmatch(pattern, last)), '')


class Verdict(StrEnum):
    """The verdict of a comparison, from best to worst."""

    IDENTICAL = 'identical'
    WITHIN = 'within tolerance'
    OTHER_VERSION = 'other version'
    OTHER_MACHINE = 'other machine'
    FAILED = 'failed'

    @property
    def is_fine(self) -> bool:
        """Whether the step was reproduced within its tolerance."""
        return self is not Verdict.FAILED

    @property
    def rank(self) -> int:
        """Position in the order from best to worst."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Record:
    """The comparison of one quantity of one output.

    :param output: link label of the output, with dots between namespaces; empty for the step itself.
    :param identical: whether the values are bit for bit equal.
    :param deviation: largest absolute deviation, in ``unit``; None if it has no size, as for text.
    :param tolerance: largest deviation allowed for this kind of step; None if there is no tolerance.
    :param note: additional remark, as part of a sentence.
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
        """Return the record as plain values for JSON."""
        return asdict(self)
