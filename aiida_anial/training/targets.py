"""Descriptors, Jacobians and labels of the training data, kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.potential.settings import DescriptorSettings
from aiida_anial.training.jacobians import VOIGT, Jacobian, map_in_threads, smaller_jacobian

__all__ = ('Batch', 'JacobianStore', 'Targets', 'least_squares_self_energy')


class JacobianStore:
    """Descriptors of C cells and their Jacobians.

    :param cells: the cells.
    :param settings: the descriptor.
    :param dtype: precision of descriptors and Jacobians.
    :param device: device on which they are kept.
    :param memory_gib: memory for Jacobians; those that do not fit are recomputed on every request.
    :param check: called before each cell; an exception that it raises ends the computation.
    :ivar features: ``[N, F]`` descriptors of all atoms.
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
        # Between two checks, each thread computes one cell.
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
        """The number of Jacobians kept in memory."""
        return len(self._kept)

    def jacobians(self, indices: Sequence[int]) -> tuple[Jacobian, ...]:
        """Return the Jacobians of the cells ``indices``."""
        missing = [index for index in indices if index not in self._kept]
        computed = dict(zip(missing, [jacobian for _, jacobian in map_in_threads(self._compute, missing)], strict=True))
        return tuple(computed[index] if index in computed else self._kept[index] for index in indices)

    def _compute(self, index: int) -> tuple[Tensor, Jacobian]:
        positions, lattice = self._cells.one(index)
        jacobian = descriptor_jacobian(positions, lattice, self._settings, dtype=self._dtype)
        return jacobian.values.to(self._device), smaller_jacobian(jacobian, self._device)


# Atoms in a batch: enough for fast matrix products, few enough for the activations to stay in the cache.
_MAX_ATOMS = 320


@dataclass(frozen=True)
class Batch:
    """C configurations with N atoms in all.

    :param features: ``[N, F]`` descriptors.
    :param jacobians: the Jacobian of each configuration.
    :param n_atoms: number of atoms in each configuration.
    :param energies: ``[C]`` total energies minus the self energy of the atoms, eV.
    :param by_position: ``[N, 3]`` dE/dr = -f, eV/angstrom.
    :param by_strain: ``[C, 6]`` dE/dstrain = volume * stress, Voigt order, eV.
    """

    features: Tensor
    jacobians: tuple[Jacobian, ...]
    n_atoms: tuple[int, ...]
    energies: Tensor
    by_position: Tensor
    by_strain: Tensor


class Targets:
    """The labels of a dataset, with its descriptors and Jacobians.

    :param data: the labelled configurations.
    :param store: their descriptors and Jacobians.
    :param self_energy: eV per atom, subtracted from the energies in float64 before they are rounded to the precision
        of the store.
    """

    def __init__(self, data: LabelledCells, store: JacobianStore, *, self_energy: float) -> None:
        self._store = store
        self._atoms = data.cells.offsets
        rows, columns = np.transpose(VOIGT)
        stresses = 0.5 * (data.stresses + data.stresses.transpose(0, 2, 1))
        self._energies = self._tensor(data.energies - self_energy * data.cells.n_atoms)
        self._by_position = self._tensor(-data.forces)
        self._by_strain = self._tensor(data.cells.volumes[:, None] * stresses[:, rows, columns])

    def __len__(self) -> int:
        return len(self._energies)

    @property
    def features(self) -> Tensor:
        """``[N, F]`` descriptors of all atoms."""
        return self._store.features

    @property
    def feature_norm(self) -> float:
        """Root mean square over the atoms of the norm of their descriptors."""
        return float(self.features.double().square().sum(dim=1).mean().sqrt())

    def batches(self, indices: Sequence[int]) -> Iterator[tuple[slice, Batch]]:
        """Yield the configurations ``indices`` in batches of about ``_MAX_ATOMS`` atoms, each with its slice."""
        first, n_atoms = 0, 0
        for last, index in enumerate(indices):
            of_this = int(self._atoms[index + 1] - self._atoms[index])
            if n_atoms and n_atoms + of_this > _MAX_ATOMS:
                yield slice(first, last), self.batch(indices[first:last])
                first, n_atoms = last, 0
            n_atoms += of_this
        yield slice(first, len(indices)), self.batch(indices[first:])

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the batch of the configurations ``indices``."""
        atoms = [slice(int(self._atoms[index]), int(self._atoms[index + 1])) for index in indices]
        return Batch(
            features=torch.cat([self.features[part] for part in atoms]),
            jacobians=self._store.jacobians(indices),
            n_atoms=tuple(part.stop - part.start for part in atoms),
            energies=self._energies[list(indices)],
            by_position=torch.cat([self._by_position[part] for part in atoms]),
            by_strain=self._by_strain[list(indices)],
        )

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        return torch.as_tensor(values, dtype=self.features.dtype, device=self.features.device)


def least_squares_self_energy(data: LabelledCells) -> float:
    """Return the energy per atom in eV that fits the energies of all configurations best."""
    n_atoms = data.cells.n_atoms.astype(np.float64)
    return float(data.energies @ n_atoms / (n_atoms @ n_atoms))
