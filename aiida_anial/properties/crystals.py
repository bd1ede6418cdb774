"""Crystals of one element, FCC and its competitors, and FCC as a stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, Self

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_anial.properties.evaluation import Relaxation

__all__ = ('CRYSTALS', 'FACES', 'MJ_PER_M2', 'Crystal', 'Face', 'Layers', 'cubic_fcc', 'fcc')

Vectors = tuple[tuple[float, float, float], ...]

Face = Literal['100', '110', '111']
FACES: tuple[Face, ...] = ('100', '110', '111')

MJ_PER_M2 = 1e-3 * units.J / units.m**2
"""1 mJ/m^2 in eV/angstrom^2."""


@dataclass(frozen=True)
class Crystal:
    """A crystal structure, without its volume.

    :param label: name in figures.
    :param lattice: ``[3, 3]`` primitive lattice vectors, one a row; x and y are in units of a, z in units of c.
    :param basis: ``[n, 3]`` Cartesian positions in the same units.
    :param volume_ratio: typical volume per atom relative to FCC, for aluminium at the minima of its energy.
    :param c_over_a: initial c/a of a relaxation of the shape; None for cubic crystals, whose shape is fixed.
    """

    label: str
    lattice: Vectors
    basis: Vectors
    volume_ratio: float
    c_over_a: float | None = None

    @property
    def relaxation(self) -> Relaxation:
        """The relaxation at constant volume that does not lead to another crystal."""
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
        """Return c/a of a relaxed and possibly rotated cell that started from ``atoms()``."""
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
    # The stacking of samarium, ABCBCACAB: three atoms on the axis of a rhombohedron; the outer ones can relax.
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

    :param lattice_constant: edge of the cubic cell, in angstrom.
    """
    return CRYSTALS['fcc'].atoms(lattice_constant**3 / 4)


def cubic_fcc(lattice_constant: float) -> Atoms:
    """Return the cubic cell of FCC, with four atoms.

    :param lattice_constant: in angstrom.
    """
    sites = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    return Atoms('Al4', scaled_positions=sites, cell=[lattice_constant] * 3, pbc=True)


@dataclass(frozen=True, eq=False)
class Layers:
    """FCC as identical layers normal to z, with one atom per cell, each shifted against the one below.

    :param lattice: ``[2, 2]`` lattice vectors within a layer, one a row, angstrom.
    :param shift: ``[2]`` in-plane shift from one layer to the next, angstrom.
    :param spacing: distance between layers, angstrom.
    :param period: number of layers after which the shifts add up to a lattice vector.
    """

    lattice: NDArray[np.float64]
    shift: NDArray[np.float64]
    spacing: float
    period: int

    @classmethod
    def fcc(cls, face: Face, lattice_constant: float) -> Self:
        """Return FCC with the plane ``face`` normal to z.

        On (111), ``shift`` is a partial Burgers vector of length a/sqrt(6): a further shift moves a layer from its site
        B across the saddle to C, two further ones to A, on top of the layer below.
        """
        a, neighbour = lattice_constant, lattice_constant / np.sqrt(2)
        if face == '111':
            lattice = neighbour * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
            return cls(lattice, lattice.sum(axis=0) / 3, a / np.sqrt(3), 3)
        first, spacing = (neighbour, a / 2) if face == '100' else (a, neighbour / 2)
        lattice = np.diag([first, neighbour])
        return cls(lattice, lattice.sum(axis=0) / 2, spacing, 2)

    @property
    def area(self) -> float:
        """Area of the cell of a layer in angstrom^2."""
        return float(np.linalg.det(self.lattice))

    def crystal(self, n_layers: int, glides: Sequence[float] | NDArray[np.float64] = ()) -> Atoms:
        """Return a periodic stack of ``n_layers`` layers.

        The third lattice vector connects the first layer with its image, so any number of layers is a perfect crystal
        without glides, and glides introduce faults into each period.

        :param glides: displacements of the layers 0 to ``n_layers`` (the image of 0) from their sites, in units of
            ``shift``.
        """
        numbers = np.arange(n_layers + 1)
        along = numbers % self.period + (np.asarray(glides) if len(glides) else 0.0)
        points = np.column_stack([along[:, None] * self.shift, numbers * self.spacing])
        return self._atoms(points[:-1], points[-1])

    def slab(self, n_layers: int, *, vacuum: float) -> Atoms:
        """Return a slab of ``n_layers`` layers in the middle of a cell, with ``vacuum`` (angstrom) to its images."""
        atoms = self.crystal(n_layers)
        atoms.positions[:, 2] += vacuum / 2
        return self._atoms(atoms.positions, np.array([0.0, 0.0, (n_layers - 1) * self.spacing + vacuum]))

    def _atoms(self, positions: NDArray[np.float64], third: NDArray[np.float64]) -> Atoms:
        cell = np.zeros((3, 3))
        cell[:2, :2] = self.lattice
        cell[2] = third
        return Atoms(f'Al{len(positions)}', positions=positions, cell=cell, pbc=True)
