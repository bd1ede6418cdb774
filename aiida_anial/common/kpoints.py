"""Meshes of k-points for cells of different sizes."""

from __future__ import annotations

import math
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ('MOST_DIVISIONS', 'SMALL_CELL', 'label_mesh', 'mesh_of_density')

MOST_DIVISIONS: Final = 100

SMALL_CELL: Final = 20
"""Cells of fewer atoms have more k-points per reciprocal atom, in inverse proportion to their atoms."""


def label_mesh(lattice: NDArray[np.float64], n_atoms: int, density: float) -> tuple[int, int, int]:
    """Return the mesh for the label of a cell.

    Errors of forces depend on the k-points per reciprocal atom, whatever the size of the cell. Errors of the energy per
    atom fall with the number of k-points times the square of the number of atoms (``docs/topics/labels.md``).

    :param lattice: ``[3, 3]`` lattice vectors in angstrom.
    :param n_atoms: number of atoms in the cell.
    :param density: least product of the number of k-points and ``n_atoms`` in cells of ``SMALL_CELL`` atoms and more;
        in smaller ones it is ``density * SMALL_CELL / n_atoms``.
    """
    return mesh_of_density(lattice, n_atoms, density * max(1.0, SMALL_CELL / n_atoms))


def mesh_of_density(lattice: NDArray[np.float64], n_atoms: int, density: float) -> tuple[int, int, int]:
    """Return the smallest mesh of a cell that has ``density`` k-points per reciprocal atom.

    The divisions are as in a mesh of the largest distance between k-points that gives enough of them, so they are in
    proportion to the lengths of the reciprocal lattice vectors. Cells of any size are sampled equally well then: a
    supercell has the k-points that fold into it.

    :param lattice: ``[3, 3]`` lattice vectors in angstrom.
    :param n_atoms: number of atoms in the cell.
    :param density: least product of the number of k-points and ``n_atoms``.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    # The number of k-points changes at these distances alone.
    distances = sorted(set(chain.from_iterable(lengths / n for n in range(1, MOST_DIVISIONS + 1))), reverse=True)
    for distance in distances:
        mesh = _mesh(lengths, float(distance))
        if math.prod(mesh) * n_atoms >= density:
            return mesh
    return (MOST_DIVISIONS,) * 3


def _mesh(lengths: NDArray[np.float64], distance: float) -> tuple[int, int, int]:
    # Rounding must not tell edges of equal length apart.
    one, two, three = (max(math.ceil(length / distance - 1e-6), 1) for length in lengths.tolist())
    return one, two, three
