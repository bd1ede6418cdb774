"""Descriptors of the dataset and their Jacobians, computed once and kept as far as memory allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('N_STRAINS', 'VOIGT', 'JacobianStore')

# The six independent strains in Voigt's order.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
N_STRAINS = len(VOIGT)


class JacobianStore:
    """Descriptors ``G`` of C cells and their derivatives by positions and strain.

    The derivatives of one cell of n atoms are a matrix ``[n F, 3 n + 6]``: from the gradients dE/dG of an energy, one
    matrix product gives dE/dr of all atoms and the virial, for all members together.

    :param cells: the cells.
    :param settings: of the descriptor.
    :param dtype: precision of everything kept.
    :param device: where everything is kept.
    :param memory_gib: matrices are kept up to this size; the others are computed anew whenever they are asked for.
    :param check: called before each cell; an exception that it raises ends the computation.
    """

    def __init__(
        self,
        cells: Cells,
        settings: DescriptorSettings,
        *,
        dtype: torch.dtype,
        device: str,
        memory_gib: float,
        check: Callable[[int], None],
    ) -> None:
        self._cells, self._settings, self._dtype, self._device = cells, settings, dtype, device
        self._kept: dict[int, Tensor] = {}
        free = int(memory_gib * 2**30)
        features = []
        for index in range(len(cells)):
            check(index)
            values, matrix = self._compute(index)
            features.append(values)
            size = matrix.numel() * matrix.element_size()
            if size <= free:
                self._kept[index] = matrix
                free -= size
        self.features = torch.cat(features)

    @property
    def n_kept(self) -> int:
        """The number of cells whose matrices are in memory."""
        return len(self._kept)

    def matrix(self, index: int) -> Tensor:
        """Return the derivatives ``[n F, 3 n + 6]`` of one cell, by the positions (1/angstrom) and then the strains."""
        kept = self._kept.get(index)
        return self._compute(index)[1] if kept is None else kept

    def _compute(self, index: int) -> tuple[Tensor, Tensor]:
        positions, lattice = self._cells.one(index)
        jacobian = descriptor_jacobian(positions, lattice, self._settings, dtype=self._dtype)
        n_atoms, n_features = jacobian.values.shape
        rows, columns = np.transpose(VOIGT)
        strain = jacobian.strain[:, :, rows, columns]
        by_position = jacobian.positions.reshape(n_atoms * n_features, 3 * n_atoms)
        matrix = torch.cat([by_position, strain.reshape(n_atoms * n_features, N_STRAINS)], dim=1)
        return jacobian.values.to(self._device), matrix.contiguous().to(self._device)
