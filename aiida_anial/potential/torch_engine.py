"""The engine that runs on any device of torch; the reference for the compiled one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.potential.descriptor import (
    angular_features,
    angular_pair_gradients,
    angular_terms,
    constants,
    radial_derivatives,
    radial_terms,
)
from aiida_anial.potential.engine import Prediction, mean_over_members
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.environments import Environments, NeighbourTable, neighbour_tables
from aiida_anial.potential.neighbours import NeighbourList, joined, neighbour_lists
from aiida_anial.potential.networks import atomic_energies, atomic_energies_and_gradients
from aiida_anial.potential.settings import EngineSettings

__all__ = ('TorchEngine',)

# Triples in one table: few enough for intermediates to stay in the cache of a core, also when there is one for every
# member; with still fewer, half of the triples could be padding.
_MAX_TRIPLES = 32_000
_MAX_TRIPLES_MEMBERS = 8_000
# A GPU needs large tables to be busy. A triple takes some 200 bytes, and as much again for every member.
_MAX_TRIPLES_GPU = 2_000_000


@dataclass(frozen=True)
class _Pairs:
    """The pairs of a batch, on the device.

    :param lists: neighbour lists of the cells.
    :param centre: ``[P]`` index of the centre.
    :param neighbour: ``[P]`` index of the neighbour.
    :param shift_vectors: ``[P, 3]`` lattice translation of the neighbour, angstrom, float64.
    """

    lists: Sequence[NeighbourList]
    centre: Tensor
    neighbour: Tensor
    shift_vectors: Tensor

    @classmethod
    def of(cls, lists: Sequence[NeighbourList], device: torch.device) -> Self:
        """Return the pairs in these lists."""
        pairs = joined(lists)
        arrays = (pairs.centre, pairs.neighbour, pairs.shift_vectors)
        return cls(lists, *(torch.from_numpy(array).to(device) for array in arrays))

    def vectors(self, positions: Tensor) -> Tensor:
        """Return the vectors ``[P, 3]`` in angstrom from centre to neighbour, for positions in float64."""
        return positions[self.neighbour] - positions[self.centre] + self.shift_vectors


class TorchEngine:
    """Evaluates an ensemble table by table: descriptors, networks, and gradients by the chain rule written out.

    The energy of an atom depends on its own descriptor only, so the atoms go through all steps in small tables, and
    intermediates of the whole batch are never stored.

    :param ensemble: the potential.
    :param settings: precision and device.
    :raises SettingsError: if this machine lacks the device.
    """

    def __init__(self, ensemble: Ensemble, settings: EngineSettings) -> None:
        self._model = ensemble.model
        self._self_energy = ensemble.self_energy
        self._dtype = torch.float64 if settings.dtype == 'float64' else torch.float32
        self._device = _device(settings.device)
        self._weights = [torch.tensor(weight, dtype=self._dtype, device=self._device) for weight in ensemble.weights]
        self._biases = [torch.tensor(bias, dtype=self._dtype, device=self._device) for bias in ensemble.biases]
        self._constants = constants(ensemble.model.descriptor, self._dtype, self._device)
        self._pairs: _Pairs | None = None

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        """Return a list for each cell, valid in ``evaluate`` until an atom has moved by half of ``skin`` (angstrom)."""
        return neighbour_lists(cells, cutoff=self._model.descriptor.radial_cutoff_angstrom + skin)

    @torch.no_grad()
    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: Sequence[NeighbourList] | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        """Return energies, and what else is requested; see :class:`~aiida_anial.potential.engine.Engine`."""
        pairs = self._pairs_of(self.neighbours(cells, skin=0.0) if neighbours is None else neighbours)
        centre, vectors = pairs.centre, pairs.vectors(torch.from_numpy(cells.positions).to(self._device))
        wanted = self._model.n_members if member_forces else int(forces or stress)
        energies, gradients = self._atoms_and_pairs(vectors, centre, len(cells.positions), wanted)

        cell_of_atom = torch.from_numpy(cells.cell_of_atom).to(self._device)
        totals = energies.new_zeros(len(energies), len(cells)).index_add_(1, cell_of_atom, energies)
        member_energies = totals.cpu().numpy() + self._self_energy * cells.n_atoms
        of_atoms = self._forces(gradients, pairs, len(cells.positions)) if forces or member_forces else None
        stresses = None
        if stress:
            virials = vectors[:, :, None] * gradients.mean(0)[:, None, :]
            summed = virials.new_zeros(len(cells), 3, 3).index_add_(0, cell_of_atom[centre], virials)
            symmetric = (summed + summed.transpose(1, 2)).cpu().numpy() / 2
            stresses = symmetric / cells.volumes[:, None, None]
        return Prediction(
            n_atoms=cells.n_atoms,
            energies=mean_over_members(member_energies),
            member_energies=member_energies,
            forces=of_atoms.mean(axis=0) if forces and of_atoms is not None else None,
            stresses=stresses,
            member_forces=of_atoms if member_forces else None,
        )

    def _pairs_of(self, lists: Sequence[NeighbourList]) -> _Pairs:
        """Return the pairs on the device, reusing those of the last evaluation."""
        # Only a tuple is sure not to have changed since.
        if self._pairs is None or self._pairs.lists is not lists or not isinstance(lists, tuple):
            self._pairs = _Pairs.of(lists, self._device)
        return self._pairs

    def _atoms_and_pairs(self, vectors: Tensor, centre: Tensor, n_atoms: int, wanted: int) -> tuple[Tensor, Tensor]:
        """Return the energies ``[M, N]`` of the atoms and the pair gradients ``[B, P, 3]``.

        :param vectors: ``[P, 3]`` in angstrom, float64.
        :param centre: ``[P]`` index of the centre of each pair.
        :param n_atoms: the number of atoms N.
        :param wanted: B: 0 for no gradients, 1 for those of the mean energy, M for those of every member.
        """
        environments = Environments.of(vectors.to(self._dtype), centre, n_atoms, self._model.descriptor)
        energies = vectors.new_empty(self._model.n_members, n_atoms)
        radial = energies.new_zeros(wanted, len(environments.radial.r))
        angular = energies.new_zeros(wanted, 3, len(environments.angular.r))
        max_triples = _MAX_TRIPLES if wanted < 2 else _MAX_TRIPLES_MEMBERS
        if self._device.type != 'cpu':
            max_triples = _MAX_TRIPLES_GPU // max(wanted, 1)
        for table in neighbour_tables(environments, max_triples=max_triples):
            energies[:, table.centres] = self._table(environments, table, radial, angular).to(energies.dtype)
        gradients = energies.new_zeros(wanted, 3, len(vectors))
        unit = environments.radial.u[:, :-1].to(energies.dtype)
        gradients[..., environments.radial.index] = radial[:, None, :-1] * unit
        gradients[..., environments.angular.index] += angular[..., :-1]
        return energies, gradients.transpose(1, 2)

    def _table(self, environments: Environments, table: NeighbourTable, radial: Tensor, angular: Tensor) -> Tensor:
        """Return the energies ``[M, n]`` of the atoms in a table, and write their derivatives by the pairs.

        :param radial: ``[B, Q_r + 1]`` derivatives by the distances of the radial shell.
        :param angular: ``[B, 3, Q_a + 1]`` gradients by the vectors of the angular shell.
        """
        c, alpha, wanted = self._constants, self._model.celu_alpha, len(radial)
        n_radial = self._model.descriptor.n_radial
        distances = environments.radial.r[table.radial]
        r, u = environments.angular_geometry(table)
        pairs = radial_terms(distances, c)
        terms = angular_terms(r, u, c)
        features = torch.cat([pairs.sum(-1), angular_features(terms)], dim=1)
        if not wanted:
            return atomic_energies(self._weights, self._biases, features, alpha)
        energies, g = atomic_energies_and_gradients(self._weights, self._biases, features, alpha)
        g = (g.mean(0, keepdim=True) if wanted == 1 else g).transpose(0, 1)
        by_distance = radial_derivatives(pairs, distances, g[..., :n_radial], c).transpose(0, 1)
        radial[:, table.radial] = by_distance.to(radial.dtype)
        by_triple = g[..., n_radial:].reshape(*g.shape[:2], len(c.angular_shifts), len(c.angles))
        by_vector = angular_pair_gradients(terms, r, u, by_triple, c).permute(1, 2, 0, 3)
        angular[..., table.angular] = by_vector.to(angular.dtype)
        return energies

    def _forces(self, gradients: Tensor, pairs: _Pairs, n_atoms: int) -> NDArray[np.float64]:
        """Return the forces ``[B, N, 3]``: a pair gradient acts on the centre, and its opposite on the neighbour."""
        by_pair = gradients.transpose(0, 1).contiguous()
        forces = gradients.new_zeros(n_atoms, len(gradients), 3)
        forces.index_add_(0, pairs.centre, by_pair)
        forces.index_add_(0, pairs.neighbour, by_pair, alpha=-1)
        on_host: NDArray[np.float64] = forces.transpose(0, 1).cpu().numpy()
        return on_host


def _device(name: str) -> torch.device:
    """Return the device ``name``.

    :raises SettingsError: if this machine lacks it.
    """
    device = torch.device(name)
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(f'engine.device: this machine has no device {name!r} that torch can use.')
    return device
