"""What the members are trained towards: descriptors, Jacobians and labels, kept in memory."""

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


# Atoms of a batch: enough for matrix products to be fast, few enough for the networks' numbers to stay in the cache.
_MAX_ATOMS = 320


@dataclass(frozen=True)
class Batch:
    """C configurations with N atoms.

    :param features: ``[N, F]`` descriptors.
    :param jacobians: of each configuration.
    :param n_atoms: atoms of each.
    :param energies: ``[C]`` energies relative to free atoms of the self energy, eV.
    :param by_position: ``[N, 3]`` dE/dr = -f, eV/angstrom.
    :param by_strain: ``[C, 6]`` dE/dstrain = volume * stress in Voigt's order, eV.
    """

    features: Tensor
    jacobians: tuple[Jacobian, ...]
    n_atoms: tuple[int, ...]
    energies: Tensor
    by_position: Tensor
    by_strain: Tensor


class Targets:
    """The labels of a dataset next to its descriptors.

    :param data: the labelled configurations.
    :param store: their descriptors and Jacobians.
    :param self_energy: eV per atom, taken off the energies in float64 before they are rounded to the store's precision.
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
        """Yield the configurations ``indices`` in pieces of a size that is worked on best, each with its place."""
        first, n_atoms = 0, 0
        for last, index in enumerate(indices):
            of_this = int(self._atoms[index + 1] - self._atoms[index])
            if n_atoms and n_atoms + of_this > _MAX_ATOMS:
                yield slice(first, last), self.batch(indices[first:last])
                first, n_atoms = last, 0
            n_atoms += of_this
        yield slice(first, len(indices)), self.batch(indices[first:])

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the configurations ``indices``."""
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
    """Return the energy per atom in eV that describes the energies of all configurations best, in float64."""
    n_atoms = data.cells.n_atoms.astype(np.float64)
    return float(data.energies @ n_atoms / (n_atoms @ n_atoms))
