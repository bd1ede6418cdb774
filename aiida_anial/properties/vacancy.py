"""The vacancy of FCC aluminium."""

from __future__ import annotations

from ase import Atoms

from aiida_anial.properties.point_defects import PointDefect, PointDefectSettings

__all__ = ('Vacancy', 'VacancySettings')


class VacancySettings(PointDefectSettings):
    """Which cells hold the vacancy."""


class Vacancy(PointDefect):
    """Formation energy of the vacancy in meV."""

    name = 'vacancy'
    unit = 'meV'
    unit_ev = 1e-3

    def make(self, crystal: Atoms, lattice_constant: float) -> Atoms:  # noqa: ARG002 - of every defect
        """Return ``crystal`` without its first atom."""
        return crystal[1:]
