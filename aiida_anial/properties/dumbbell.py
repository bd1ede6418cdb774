"""The self-interstitial of FCC aluminium."""

from __future__ import annotations

from ase import Atom, Atoms

from aiida_anial.properties.point_defects import PointDefect, PointDefectSettings

__all__ = ('Dumbbell', 'DumbbellSettings')

_HALF_LENGTH = 0.3
"""Of the unrelaxed dumbbell, in lattice constants: its atoms stay about a nearest neighbour's distance apart."""


class DumbbellSettings(PointDefectSettings):
    """Which cells hold the dumbbell."""


class Dumbbell(PointDefect):
    """Formation energy of the <100> dumbbell, two atoms that share a site, in eV."""

    name = 'dumbbell'
    unit = 'eV'
    unit_ev = 1.0

    def make(self, crystal: Atoms, lattice_constant: float) -> Atoms:
        """Return ``crystal`` with a second atom at its first site, both displaced along z."""
        atoms = crystal.copy()
        atoms.append(Atom('Al', crystal.positions[0]))
        atoms.positions[[0, -1], 2] += _HALF_LENGTH * lattice_constant, -_HALF_LENGTH * lattice_constant
        return atoms
