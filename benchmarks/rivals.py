"""The competitor, torchani, in the forms that its users would choose.

Its ensembles fused for inference (``to_infer_model``) are left out: they call CUDA's profiler and fail on a build of
torch without CUDA.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
import torch
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.neighbours import joined, neighbour_lists
from aiida_anial.potential.torchani_model import to_torchani

_ATOMIC_NUMBER: Final = 13
# All pairs of 2,048 atoms and their images would take 5.5 GiB, and half of the run time.
_LARGEST_ALL_PAIRS: Final = 1000


def torchani_model(ensemble: Ensemble, *, all_pairs: bool = True) -> Any:
    """Return torchani's model in float32.

    :param all_pairs: whether neighbours are searched among all pairs of atoms, torchani's default, or with a cell list.
    """
    from torchani.neighbors import AdaptiveList, AllPairs

    model = to_torchani(ensemble)
    model.neighborlist = model.potentials['nnp'].aev_computer.neighborlist = AllPairs() if all_pairs else AdaptiveList()
    return model


def energies_and_forces(ensemble: Ensemble, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return energies of all members ``[M, C]`` in eV and mean forces ``[N, 3]`` in eV/angstrom, by torchani.

    The neighbours are those of the package.
    """
    pairs = joined(neighbour_lists(cells, cutoff=ensemble.model.descriptor.radial_cutoff_angstrom))
    centre, neighbour, shifts = pairs.centre, pairs.neighbour, pairs.shift_vectors
    # torchani takes each pair once. Of the two pairs of an atom with its own image, keep the one with a positive first
    # nonzero component of the shift.
    leading = np.where(shifts[:, 0] != 0, shifts[:, 0], np.where(shifts[:, 1] != 0, shifts[:, 1], shifts[:, 2]))
    kept = (centre < neighbour) | ((centre == neighbour) & (leading > 0))
    indices = torch.from_numpy(np.stack([neighbour[kept], centre[kept]]))
    positions = torch.tensor(cells.positions[None], dtype=torch.float32, requires_grad=True)
    result = to_torchani(ensemble).compute_from_external_neighbors(
        torch.full(positions.shape[:2], _ATOMIC_NUMBER),
        positions,
        indices,
        torch.from_numpy(shifts[kept]).float(),
        atomic=True,
        ensemble_values=True,
    )
    of_atoms = result.energies[:, 0] * units.Hartree
    (gradient,) = torch.autograd.grad(of_atoms.mean(0).sum(), positions)
    energies = np.add.reduceat(of_atoms.detach().double().numpy(), cells.offsets[:-1], axis=1)
    return energies, -gradient[0].double().numpy()


class TorchaniMd:
    """Langevin dynamics of ASE with torchani's calculator, one cell after the other.

    :param ensemble: the potential.
    :param cells: initial cells; their trajectories continue from block to block.
    """

    def __init__(
        self, ensemble: Ensemble, cells: Cells, *, temperature_k: float, time_step_fs: float, friction_per_fs: float
    ) -> None:
        model = torchani_model(ensemble, all_pairs=bool(cells.n_atoms.max() <= _LARGEST_ALL_PAIRS))
        self._n_atoms = int(cells.n_atoms.sum())
        self._dynamics = []
        for positions, lattice in cells:
            atoms = Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True)
            # One calculator per cell, because a calculator caches the forces of the last cell only.
            atoms.calc = model.ase()
            thermalize_momenta(atoms, temperature_k, rng=np.random.RandomState(1))
            self._dynamics.append(
                Langevin(
                    atoms,
                    time_step_fs * units.fs,
                    temperature_K=temperature_k,
                    friction=friction_per_fs / units.fs,
                    fixcm=False,
                    rng=np.random.RandomState(1),
                )
            )

    def run(self, steps: int) -> tuple[float, float]:
        """Run the given number of steps; return atom-steps and seconds."""
        for dynamics in self._dynamics:
            # The forces at the start of a block do not count as part of its steps.
            dynamics.atoms.get_forces()
        start = time.perf_counter()
        for dynamics in self._dynamics:
            dynamics.run(steps)
        return float(steps * self._n_atoms), time.perf_counter() - start


class TorchaniTraining:
    """Textbook training of torchani's model on energies and forces, one network after the other and cell by cell.

    Forces are derivatives by autograd with their graph kept, and the loss is differentiated through them.

    :param ensemble: initial members.
    :param data: labelled configurations.
    :param batch_size: configurations in each step of the optimiser.
    :param force_weight: weight of the squared force errors in the loss.
    """

    def __init__(self, ensemble: Ensemble, data: LabelledCells, *, batch_size: int, force_weight: float) -> None:
        self._data, self._size, self._force_weight = data, batch_size, force_weight
        self.members = [torchani_model(ensemble.member(index)) for index in range(ensemble.n_members)]
        self._optimisers = [torch.optim.Adam(model.parameters(), lr=1e-4) for model in self.members]

    def run(self, *, members: int, batches: int) -> tuple[float, float]:
        """Train some members on some batches, the first ones; return configurations times members, and seconds.

        :param members: number of members.
        :param batches: number of batches.
        """
        start = time.perf_counter()
        for member in range(members):
            for batch in range(batches):
                self.step(member, batch)
        taken = min(batches * self._size, len(self._data))
        return float(members * taken), time.perf_counter() - start

    def step(self, member: int, batch: int) -> None:
        """Take one optimiser step with one member on one batch."""
        self._optimisers[member].zero_grad()
        torch.autograd.backward(self.loss(member, batch))
        self._optimisers[member].step()

    def loss(self, member: int, batch: int) -> Tensor:
        """Return the mean loss of one member on one batch."""
        indices = range(batch * self._size, min((batch + 1) * self._size, len(self._data)))
        total = torch.zeros(())
        for index in indices:
            total = total + self._loss_of_cell(self.members[member], index)
        return total / len(indices)

    def _loss_of_cell(self, model: Any, index: int) -> Tensor:
        positions, lattice = self._data.cells.one(index)
        x = torch.tensor(positions[None], dtype=torch.float32, requires_grad=True)
        species = torch.full(x.shape[:2], _ATOMIC_NUMBER)
        cell, periodic = torch.tensor(lattice, dtype=torch.float32), torch.tensor([True] * 3)
        energy = model((species, x), cell, periodic).energies[0] * units.Hartree
        (gradient,) = torch.autograd.grad(energy, x, create_graph=True)
        wanted = torch.tensor(self._data.forces_of(index), dtype=torch.float32)
        error = energy - float(self._data.energies[index])
        loss: Tensor = error.square() + self._force_weight * (gradient[0] + wanted).square().sum()
        return loss
