"""The labels as the loss wants them, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.labelled_cells import LabelledCells
from aiida_anial.training.jacobians import N_STRAINS, VOIGT, JacobianStore

__all__ = ('Batch', 'Targets', 'least_squares_self_energy')

# How often a derivative by position, then one by each strain, counts in the sums over forces and virial: off-diagonal
# components stand twice in the sum over the nine components of a symmetric tensor.
_COUNTS = torch.tensor([[1.0, 0.0]] + 3 * [[0.0, 1.0]] + 3 * [[0.0, 2.0]])


@dataclass(frozen=True)
class Batch:
    """C configurations with N atoms; R = 3 N + 6 C derivatives: for each cell those by positions, then by strain.

    :param features: ``[N, F]`` descriptors.
    :param matrices: for each cell the Jacobian ``[n F, 3 n + 6]``.
    :param energies: ``[C]`` energies relative to free atoms of the self energy, eV.
    :param derivatives: ``[R]`` dE/dr = -f in eV/angstrom, dE/dstrain = volume * stress in eV.
    :param n_atoms: atoms of each cell.
    :param atoms_to_cells: ``[N, C]`` one where the atom belongs to the cell.
    :param forces_to_cells: ``[R, C]`` one where the derivative is one by positions and belongs to the cell.
    :param virials_to_cells: ``[R, C]`` one, or two off the diagonal, where it is one by strain.
    """

    features: Tensor
    matrices: tuple[Tensor, ...]
    energies: Tensor
    derivatives: Tensor
    n_atoms: tuple[int, ...]
    atoms_to_cells: Tensor
    forces_to_cells: Tensor
    virials_to_cells: Tensor


class Targets:
    """The labels of a dataset next to its descriptors.

    :param data: the labelled configurations.
    :param store: their descriptors and Jacobians.
    :param self_energy: eV per atom, taken off the energies in float64 before they are rounded to the store's precision.
    """

    def __init__(self, data: LabelledCells, store: JacobianStore, *, self_energy: float) -> None:
        self._store = store
        self._atoms = data.cells.offsets
        energies = data.energies - self_energy * data.cells.n_atoms
        self._energies = self._tensor(energies)
        self._derivatives = [self._derivatives_of(data, index) for index in range(len(data))]

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

    def _derivatives_of(self, data: LabelledCells, index: int) -> Tensor:
        rows, columns = np.transpose(VOIGT)
        stress = 0.5 * (data.stresses[index] + data.stresses[index].T)
        virial = data.cells.volumes[index] * stress[rows, columns]
        return self._tensor(np.concatenate([-data.forces_of(index).ravel(), virial]))

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the configurations ``indices`` as one batch."""
        atoms = [slice(int(self._atoms[index]), int(self._atoms[index + 1])) for index in indices]
        n_atoms = tuple(part.stop - part.start for part in atoms)
        n_rows = [3 * n + N_STRAINS for n in n_atoms]
        cells = torch.eye(len(n_atoms), dtype=self.features.dtype, device=self.features.device)
        rows_to_cells = cells.repeat_interleave(torch.tensor(n_rows, device=cells.device), dim=0)
        # What each row counts as a derivative by position, and as one by strain.
        counts = torch.cat([_COUNTS[:1].expand(3 * n, 2) if k == 0 else _COUNTS[1:] for n in n_atoms for k in (0, 1)])
        counts = counts.to(cells)
        return Batch(
            features=torch.cat([self.features[part] for part in atoms]),
            matrices=tuple(self._store.matrix(index) for index in indices),
            energies=self._energies[list(indices)],
            derivatives=torch.cat([self._derivatives[index] for index in indices]),
            n_atoms=n_atoms,
            atoms_to_cells=cells.repeat_interleave(torch.tensor(n_atoms, device=cells.device), dim=0),
            forces_to_cells=rows_to_cells * counts[:, :1],
            virials_to_cells=rows_to_cells * counts[:, 1:],
        )

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        return torch.as_tensor(values, dtype=self.features.dtype, device=self.features.device)


def least_squares_self_energy(data: LabelledCells) -> float:
    """Return the energy per atom in eV that describes the energies of all configurations best, in float64."""
    n_atoms = data.cells.n_atoms.astype(np.float64)
    return float(data.energies @ n_atoms / (n_atoms @ n_atoms))
