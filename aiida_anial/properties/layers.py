"""FCC as a stack of layers: bulk, faults and slabs with one and the same atom a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

__all__ = ('FACES', 'MJ_PER_M2', 'Face', 'Layers')

Face = Literal['100', '110', '111']
FACES: tuple[Face, ...] = ('100', '110', '111')

MJ_PER_M2 = 1e-3 * units.J / units.m**2
"""In eV/angstrom^2."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Identical layers of one atom a cell, normal to z, each shifted against the last.

    :param lattice: ``[2, 2]``, the two lattice vectors within a layer as rows, angstrom.
    :param shift: ``[2]`` from one layer to the next within the plane, angstrom.
    :param spacing: between layers, angstrom.
    :param period: after as many layers the shifts add up to a lattice vector.
    """

    lattice: NDArray[np.float64]
    shift: NDArray[np.float64]
    spacing: float
    period: int

    @classmethod
    def fcc(cls, face: Face, lattice_constant: float) -> Self:
        """Return FCC with the plane ``face`` normal to z.

        On (111), ``shift`` is a partial Burgers vector of length a/sqrt(6): one more of it takes a layer from its
        site B over the saddle to C, two more onto A, right above the layer below.
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
        """Area of a layer's cell in angstrom^2."""
        return float(np.linalg.det(self.lattice))

    def crystal(self, n_layers: int, glides: Sequence[float] | NDArray[np.float64] = ()) -> Atoms:
        """Return a stack that goes on for ever, ``n_layers`` a period.

        The third lattice vector goes from the first layer to its image, wherever that is: any number of layers is a
        perfect crystal without glides, and with them there is one fault a period.

        :param glides: of the layers 0 to ``n_layers`` (the image of 0) out of their sites, in units of ``shift``.
        """
        numbers = np.arange(n_layers + 1)
        along = numbers % self.period + (np.asarray(glides) if len(glides) else 0.0)
        points = np.column_stack([along[:, None] * self.shift, numbers * self.spacing])
        return self._atoms(points[:-1], points[-1])

    def slab(self, n_layers: int, *, vacuum: float) -> Atoms:
        """Return ``n_layers`` layers in the middle of a cell, with their images ``vacuum`` (angstrom) away."""
        atoms = self.crystal(n_layers)
        atoms.positions[:, 2] += vacuum / 2
        return self._atoms(atoms.positions, np.array([0.0, 0.0, (n_layers - 1) * self.spacing + vacuum]))

    def _atoms(self, positions: NDArray[np.float64], third: NDArray[np.float64]) -> Atoms:
        cell = np.zeros((3, 3))
        cell[:2, :2] = self.lattice
        cell[2] = third
        return Atoms(f'Al{len(positions)}', positions=positions, cell=cell, pbc=True)
