"""torchani, in the forms that a user of it would choose, as a competitor.

Its network ensembles fused for inference (``to_infer_model``) are left out: they call CUDA's profiler and fail on a
build of torch without CUDA.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import Prediction
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.neighbours import NeighbourList, joined, neighbour_lists
from aiida_anial.potential.torchani_model import to_torchani

__all__ = ('TorchaniEngine', 'TorchaniMd', 'TorchaniTraining', 'half_list', 'torchani_model')

_ATOMIC_NUMBER = 13
# torchani's own threshold, from which it takes lists of cells where a user leaves the choice to it.
_ADAPTIVE_FROM = 190


def torchani_model(ensemble: Ensemble, *, neighbours: str = 'all_pairs') -> Any:
    """Return torchani's model in float32.

    :param neighbours: its way to find neighbours; ``all_pairs`` is what it comes with.
    """
    from torchani.neighbors import AdaptiveList, AllPairs, CellList

    model = to_torchani(ensemble)
    finder = {'all_pairs': AllPairs, 'adaptive': AdaptiveList, 'cell_list': CellList}[neighbours]()
    model.neighborlist = model.potentials['nnp'].aev_computer.neighborlist = finder
    return model


class TorchaniEngine:
    """torchani behind the package's own protocol: all cells in one call, on neighbours that are kept for many steps.

    torchani has no batches of periodic cells with lattices of their own. Its entry for lists from elsewhere takes any
    pairs, so cells can be laid side by side in one 'molecule'; nothing that it offers is faster.

    :param ensemble: the potential.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._model = to_torchani(ensemble)
        self._cutoff = ensemble.model.descriptor.radial_cutoff_angstrom
        self._lists: tuple[NeighbourList, ...] = ()
        self._pairs, self._shifts = torch.empty(2, 0, dtype=torch.int64), torch.empty(0, 3)

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        """Return, for each cell, the pairs within the cutoff and ``skin`` (angstrom)."""
        return neighbour_lists(cells, cutoff=self._cutoff + skin)

    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: Sequence[NeighbourList] | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        """Return the energies of all members and the mean forces.

        :raises NotImplementedError: if anything else is asked for.
        """
        if stress or member_forces:
            raise NotImplementedError('torchani is measured with energies and forces only.')
        self._take(self.neighbours(cells, skin=0.0) if neighbours is None else neighbours)
        positions = torch.tensor(cells.positions[None], dtype=torch.float32, requires_grad=forces)
        species = torch.full(positions.shape[:2], _ATOMIC_NUMBER)
        result = self._model.compute_from_external_neighbors(
            species, positions, self._pairs, self._shifts, atomic=True, ensemble_values=True
        )
        energies = result.energies[:, 0] * units.Hartree
        of_atoms = None
        if forces:
            (gradient,) = torch.autograd.grad(energies.mean(0).sum(), positions)
            of_atoms = -gradient[0].double().numpy()
        by_atom = energies.detach().double().numpy()
        totals = np.add.reduceat(by_atom, cells.offsets[:-1], axis=1)
        return Prediction(cells.n_atoms, totals.mean(axis=0), totals, of_atoms)

    def _take(self, lists: Sequence[NeighbourList]) -> None:
        """Bring the lists into torchani's form, unless they are those of the call before."""
        known = len(lists) == len(self._lists) and all(one is other for one, other in zip(lists, self._lists))  # noqa: B905 - of equal length
        if not known:
            self._lists = tuple(lists)
            self._pairs, self._shifts = half_list(joined(lists))


def half_list(pairs: NeighbourList) -> tuple[Tensor, Tensor]:
    """Return pairs ``[2, P / 2]`` and shifts ``[P / 2, 3]`` in float32 as torchani has them: each pair once."""
    centre, neighbour, shifts = pairs.centre, pairs.neighbour, pairs.shift_vectors
    # Of an atom and its own image, that one of the two whose shift has a positive first component that is not 0.
    leading = np.where(shifts[:, 0] != 0, shifts[:, 0], np.where(shifts[:, 1] != 0, shifts[:, 1], shifts[:, 2]))
    kept = (centre < neighbour) | ((centre == neighbour) & (leading > 0))
    indices = torch.from_numpy(np.stack([neighbour[kept], centre[kept]]))
    return indices, torch.from_numpy(shifts[kept]).float()


class TorchaniMd:
    """Langevin dynamics of ASE on torchani's calculator, one cell after the other.

    :param ensemble: the potential.
    :param cells: where they start; each keeps its own trajectory from block to block.
    """

    def __init__(
        self, ensemble: Ensemble, cells: Cells, *, temperature_k: float, time_step_fs: float, friction_per_fs: float
    ) -> None:
        self.neighbours = 'all_pairs' if cells.n_atoms.max() <= _LARGEST_ALL_PAIRS else 'adaptive'
        model = torchani_model(ensemble, neighbours=self.neighbours)
        self._n_atoms = int(cells.n_atoms.sum())
        self._dynamics = []
        for positions, lattice in cells:
            atoms = Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True)
            # One each, because a calculator remembers the forces of the last atoms only.
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
        """Make so many steps; return atom-steps and seconds."""
        for dynamics in self._dynamics:
            # The forces at the beginning of a block are not those of its steps.
            dynamics.atoms.get_forces()
        start = time.perf_counter()
        for dynamics in self._dynamics:
            dynamics.run(steps)
        return float(steps * self._n_atoms), time.perf_counter() - start


# All pairs of 2,048 atoms and their images take 5.5 GiB and half of the time.
_LARGEST_ALL_PAIRS = 1000


class TorchaniTraining:
    """The textbook training of one network after the other on energies and forces, with torchani's model.

    Forces are derivatives by autograd whose graph is kept, and the loss goes backward through them.

    :param ensemble: the members at their start.
    :param data: labelled configurations.
    :param batch_size: configurations for each step of the optimiser.
    :param batched: evaluate a batch in one call on neighbours listed beforehand, instead of cell by cell.
    """

    def __init__(
        self, ensemble: Ensemble, data: LabelledCells, *, batch_size: int, force_weight: float, batched: bool
    ) -> None:
        self._data, self._size, self._force_weight = data, batch_size, force_weight
        self.members = [torchani_model(ensemble.member(index)) for index in range(ensemble.n_members)]
        self._optimisers = [torch.optim.Adam(model.parameters(), lr=1e-4) for model in self.members]
        cutoff = ensemble.model.descriptor.radial_cutoff_angstrom
        self._lists = neighbour_lists(data.cells, cutoff=cutoff) if batched else ()
        self._loss: Callable[[Any, NDArray[np.int64]], Tensor] = self._batch_loss if batched else self._cells_loss

    def step(self, member: int, batch: int) -> None:
        """Take one step of the optimiser with one member on batch ``batch``."""
        first = batch * self._size
        indices = np.arange(first, min(first + self._size, len(self._data)))
        self._optimisers[member].zero_grad()
        torch.autograd.backward(self._loss(self.members[member], indices))
        self._optimisers[member].step()

    def run(self, *, members: int, batches: int) -> tuple[float, float]:
        """Train the first ``members`` on the first ``batches``; return configurations times members, and seconds."""
        start = time.perf_counter()
        for member in range(members):
            for batch in range(batches):
                self.step(member, batch)
        taken = min(batches * self._size, len(self._data))
        return float(members * taken), time.perf_counter() - start

    def _cells_loss(self, model: Any, indices: NDArray[np.int64]) -> Tensor:
        """Return the loss of a batch, evaluated cell by cell."""
        periodic, total = torch.tensor([True] * 3), torch.zeros(())
        for index in indices.tolist():
            positions, lattice = self._data.cells.one(index)
            x = torch.tensor(positions[None], dtype=torch.float32, requires_grad=True)
            species = torch.full(x.shape[:2], _ATOMIC_NUMBER)
            energy = model((species, x), torch.tensor(lattice, dtype=torch.float32), periodic).energies * units.Hartree
            total = total + self._errors(energy, x, self._data.energies[[index]], self._data.forces_of(index)).sum()
        return total / len(indices)

    def _batch_loss(self, model: Any, indices: NDArray[np.int64]) -> Tensor:
        """Return the loss of a batch, evaluated in one call."""
        cells = self._data.cells.select(indices)
        pairs, shifts = half_list(joined([self._lists[index] for index in indices.tolist()]))
        x = torch.tensor(cells.positions[None], dtype=torch.float32, requires_grad=True)
        species = torch.full(x.shape[:2], _ATOMIC_NUMBER)
        atomic = model.compute_from_external_neighbors(species, x, pairs, shifts, atomic=True).energies[0]
        owners = torch.from_numpy(cells.cell_of_atom)
        energies = torch.zeros(len(cells)).index_add(0, owners, atomic) * units.Hartree
        forces = np.concatenate([self._data.forces_of(index) for index in indices.tolist()])
        return self._errors(energies, x, self._data.energies[indices], forces).sum() / len(indices)

    def _errors(self, energies: Tensor, x: Tensor, wanted: NDArray[np.float64], forces: NDArray[np.float64]) -> Tensor:
        """Return the energy terms ``[C]``, and the force term on the first of them: only their sum is used."""
        (gradient,) = torch.autograd.grad(energies.sum(), x, create_graph=True)
        squares = (energies - torch.tensor(wanted, dtype=torch.float32)).square()
        off = (gradient[0] + torch.tensor(forces, dtype=torch.float32)).square().sum()
        return squares + self._force_weight * off / len(squares)
