"""Descriptors of a cell and all their derivatives, for training on forces and stresses.

With the descriptors G and J = dG/dr computed once, forces are -(dE/dG) J, linear in the derivatives of the networks, so
a loss on forces costs one backward pass through small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import ALUMINIUM, Cells
from aiida_anial.potential.kernels.arrays import batch_arrays, descriptor_numbers, jacobian_scratch_arrays
from aiida_anial.potential.kernels.jacobian import FeatureGradientArrays, fill_feature_gradients
from aiida_anial.potential.neighbours import NeighbourList, neighbour_lists
from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('DescriptorJacobian', 'FeatureGradients', 'descriptor_jacobian')

# Atoms in one block of arrays, which are as wide as the atom with the most neighbours needs.
_ATOMS_TOGETHER = 32


@dataclass(frozen=True)
class FeatureGradients:
    """Derivatives of the descriptors of B atoms by the vectors to their neighbours.

    Neighbours within the angular cutoff come first, so the angular features depend only on the first K_a of them. Atoms
    with similar numbers of neighbours share a block; those with fewer than K are padded with dummies, whose neighbour
    is atom 0 and whose vectors and gradients are zero.

    :param centres: ``[B]`` indices of the atoms.
    :param neighbours: ``[B, K]`` indices of the atoms in the cell whose images are the neighbours.
    :param vectors: ``[B, K, 3]`` from centre to neighbour, angstrom.
    :param radial: ``[B, K, S]`` derivatives of the radial features by the distance, divided by the distance,
        1/angstrom^2; multiplied by the vector, they give the derivatives by the vector.
    :param angular: ``[B, K_a, 3, A]`` derivatives of the angular features by the vector, 1/angstrom.
    """

    centres: Tensor
    neighbours: Tensor
    vectors: Tensor
    radial: Tensor
    angular: Tensor


@dataclass(frozen=True)
class DescriptorJacobian:
    """The descriptors of the n atoms of a cell and their derivatives.

    :param values: ``[n, F]`` descriptors: S radial features, then A angular ones.
    :param pairs: blocks of derivatives, in which every atom comes once.
    """

    values: Tensor
    pairs: tuple[FeatureGradients, ...]


def descriptor_jacobian(
    positions: NDArray[np.float64],
    lattice: NDArray[np.float64],
    settings: DescriptorSettings,
    *,
    dtype: torch.dtype = torch.float32,
) -> DescriptorJacobian:
    """Return the descriptors of one cell and their derivatives.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` lattice vectors in angstrom, one a row.
    :param settings: the descriptor.
    :param dtype: precision of the computation and of the result.
    """
    cells = Cells.from_lists([positions], [lattice], species=ALUMINIUM)
    lists = neighbour_lists(cells, cutoff=settings.radial_cutoff_angstrom)
    numbers = descriptor_numbers(settings, real := np.dtype(str(dtype).removeprefix('torch.')))
    n_radial, n_angular = _counts(lists[0], cells.positions, settings)
    scratch = jacobian_scratch_arrays(numbers, n_neighbours=int(n_radial.max()), dtype=real)
    batch = batch_arrays(cells, lists)
    values = np.zeros((len(positions), settings.n_features), dtype=real)
    pairs = []
    order = np.argsort(-n_angular, kind='stable')
    for first in range(0, len(order), _ATOMS_TOGETHER):
        atoms = order[first : first + _ATOMS_TOGETHER]
        room, angular_room = int(n_radial[atoms].max()), int(n_angular[atoms].max())
        out = FeatureGradientArrays(
            atoms=atoms,
            room=room,
            angular_room=angular_room,
            values=values,
            neighbours=np.zeros((len(atoms), room), dtype=np.int64),
            vectors=np.zeros((len(atoms), room, 3), dtype=real),
            radial=np.zeros((len(atoms), room, settings.n_radial), dtype=real),
            angular=np.zeros((len(atoms), angular_room, 3, settings.n_angular), dtype=real),
        )
        fill_feature_gradients(batch, numbers, out, len(atoms), scratch)
        arrays = (out.atoms, out.neighbours, out.vectors, out.radial, out.angular)
        pairs.append(FeatureGradients(*(torch.from_numpy(array) for array in arrays)))
    return DescriptorJacobian(torch.from_numpy(values), tuple(pairs))


def _counts(
    pairs: NeighbourList, positions: NDArray[np.float64], settings: DescriptorSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each atom, upper bounds of the numbers of its radial and its angular neighbours."""
    squares = np.einsum('px,px->p', *[pairs.vectors(positions)] * 2)
    # Rounding may put a pair at the cutoff on the other side of it than the kernels do.
    near = squares < settings.angular_cutoff_angstrom**2 * (1 + 1e-9)
    return np.diff(pairs.starts), np.bincount(pairs.centre[near], minlength=len(positions))
