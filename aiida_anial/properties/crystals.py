"""Crystals of one element: FCC and its competitors."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_anial.properties.evaluation import Relaxation

__all__ = ('CRYSTALS', 'Crystal', 'cubic_fcc', 'fcc')

Vectors = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Crystal:
    """An arrangement of atoms in a primitive cell, up to its volume.

    :param label: what it is called in figures.
    :param lattice: primitive lattice vectors, one a row, in units of a along x and y, of c along z.
    :param basis: ``[n, 3]`` Cartesian positions in the same units.
    :param volume_ratio: volume per atom over that of FCC, about as aluminium has it at its minima.
    :param c_over_a: where a relaxation of the shape begins; None for a cubic crystal, which has no shape to relax.
    """

    label: str
    lattice: Vectors
    basis: Vectors
    volume_ratio: float
    c_over_a: float | None = None

    @property
    def relaxation(self) -> Relaxation:
        """What may move at constant volume without another crystal coming of it."""
        return Relaxation.NONE if self.c_over_a is None else Relaxation.SHAPE

    def atoms(self, volume_per_atom: float) -> Atoms:
        """Return the primitive cell, unrelaxed.

        :param volume_per_atom: in angstrom^3.
        """
        scale = np.array([1.0, 1.0, self.c_over_a or 1.0])
        lattice, basis = np.array(self.lattice) * scale, np.array(self.basis) * scale
        a = np.cbrt(volume_per_atom * len(basis) / abs(np.linalg.det(lattice)))
        return Atoms(f'Al{len(basis)}', positions=a * basis, cell=a * lattice, pbc=True)

    def c_over_a_of(self, atoms: Atoms) -> float:
        """Return c/a of a cell that began as one of ``atoms()``, however it is rotated."""
        to_axes: NDArray[np.float64] = np.linalg.inv(np.array(self.lattice)) @ atoms.cell[:]
        metric = to_axes @ to_axes.T
        return float(sqrt(2 * metric[2, 2] / (metric[0, 0] + metric[1, 1])))


_H = sqrt(3) / 2
_CUBIC: Vectors = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_FACE_CENTRED: Vectors = ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
_BODY_CENTRED: Vectors = ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5))
_HEXAGONAL: Vectors = ((1, 0, 0), (-0.5, _H, 0), (0, 0, 1))
_RHOMBOHEDRAL: Vectors = ((0.5, _H / 3, 1 / 3), (-0.5, _H / 3, 1 / 3), (0, -2 * _H / 3, 1 / 3))

# The stacking positions B and C of close-packed layers; A is at the origin.
_B, _C = (0.0, 2 * _H / 3), (0.5, _H / 3)
_ORIGIN = (0.0, 0.0, 0.0)
_CLOSE_PACKED = sqrt(8 / 3)

_A15: Vectors = (
    _ORIGIN,
    (0.5, 0.5, 0.5),
    (0.25, 0.0, 0.5),
    (0.75, 0.0, 0.5),
    (0.5, 0.25, 0.0),
    (0.5, 0.75, 0.0),
    (0.0, 0.5, 0.25),
    (0.0, 0.5, 0.75),
)

CRYSTALS: dict[str, Crystal] = {
    'fcc': Crystal('FCC', _FACE_CENTRED, (_ORIGIN,), 1.0),
    'hcp': Crystal('HCP', _HEXAGONAL, (_ORIGIN, (*_B, 0.5)), 1.01, _CLOSE_PACKED),
    'dhcp': Crystal('DHCP', _HEXAGONAL, (_ORIGIN, (*_B, 0.25), (0.0, 0.0, 0.5), (*_C, 0.75)), 1.005, 2 * _CLOSE_PACKED),
    # The stacking of samarium, ABCBCACAB: three atoms along the axis of a rhombohedron, the outer ones free to move.
    'nine_r': Crystal('9R', _RHOMBOHEDRAL, (_ORIGIN, (0.0, 0.0, 2 / 9), (0.0, 0.0, 7 / 9)), 1.005, 4.5 * _CLOSE_PACKED),
    'bcc': Crystal('BCC', _BODY_CENTRED, (_ORIGIN,), 1.03),
    'a15': Crystal('A15', _CUBIC, _A15, 1.03),
    'sc': Crystal('SC', _CUBIC, (_ORIGIN,), 1.19),
    'diamond': Crystal('diamond', _FACE_CENTRED, (_ORIGIN, (0.25, 0.25, 0.25)), 1.65),
    'beta_sn': Crystal('β-Sn', _BODY_CENTRED, (_ORIGIN, (0.0, 0.5, 0.25)), 1.14, 0.52),
    'simple_hexagonal': Crystal('simple hexagonal', _HEXAGONAL, (_ORIGIN,), 1.12, 0.98),
    'omega': Crystal('ω', _HEXAGONAL, (_ORIGIN, (*_B, 0.5), (*_C, 0.5)), 1.04, 0.6),
}
"""Crystals by name."""


def fcc(lattice_constant: float) -> Atoms:
    """Return the primitive cell of FCC.

    :param lattice_constant: of the cubic cell, in angstrom.
    """
    return CRYSTALS['fcc'].atoms(lattice_constant**3 / 4)


def cubic_fcc(lattice_constant: float) -> Atoms:
    """Return the cubic cell of FCC, with four atoms.

    :param lattice_constant: in angstrom.
    """
    sites = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    return Atoms('Al4', scaled_positions=sites, cell=[lattice_constant] * 3, pbc=True)
