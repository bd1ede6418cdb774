"""Descriptors and Jacobians of the dataset, computed once and kept as far as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.potential.settings import DescriptorSettings
from aiida_anial.training.jacobians import Jacobian, smaller_jacobian
from aiida_anial.training.threads import map_in_threads

__all__ = ('JacobianStore',)


class JacobianStore:
    """Descriptors of C cells and their Jacobians.

    :param cells: the cells.
    :param settings: of the descriptor.
    :param dtype: precision of everything kept.
    :param device: where everything is kept.
    :param memory_gib: Jacobians are kept up to this size; the others are computed anew whenever they are asked for.
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
        self._kept: dict[int, Jacobian] = {}
        free = int(memory_gib * 2**30)
        features = []
        # Cells for all threads between two checks.
        n_together = torch.get_num_threads()
        for first in range(0, len(cells), n_together):
            indices = range(first, min(first + n_together, len(cells)))
            for index in indices:
                check(index)
            for index, (values, jacobian) in zip(indices, map_in_threads(self._compute, indices), strict=True):
                features.append(values)
                if jacobian.n_bytes <= free:
                    self._kept[index] = jacobian
                    free -= jacobian.n_bytes
        self.features = torch.cat(features)

    @property
    def n_kept(self) -> int:
        """The number of cells whose Jacobians are in memory."""
        return len(self._kept)

    def jacobians(self, indices: Sequence[int]) -> tuple[Jacobian, ...]:
        """Return the Jacobians of some cells."""
        missing = [index for index in indices if index not in self._kept]
        computed = dict(zip(missing, [jacobian for _, jacobian in map_in_threads(self._compute, missing)], strict=True))
        return tuple(computed[index] if index in computed else self._kept[index] for index in indices)

    def _compute(self, index: int) -> tuple[Tensor, Jacobian]:
        positions, lattice = self._cells.one(index)
        jacobian = descriptor_jacobian(positions, lattice, self._settings, dtype=self._dtype)
        return jacobian.values.to(self._device), smaller_jacobian(jacobian, self._device)
