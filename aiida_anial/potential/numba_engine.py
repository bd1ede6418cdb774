"""The engine of compiled kernels, for the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import numpy as np

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Prediction, mean_over_members
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.kernels.arrays import (
    batch_arrays,
    chunk_of,
    descriptor_numbers,
    most_pairs,
    networks_arrays,
    plain,
    result_arrays,
    scratch_arrays,
    shared_arrays,
)
from aiida_anial.potential.kernels.evaluate import PHASES, Batch, Crew, Results, evaluate
from aiida_anial.potential.neighbours import NeighbourList, neighbour_lists
from aiida_anial.potential.settings import EngineSettings

__all__ = ('NumbaEngine',)


class _Room(NamedTuple):
    """Sizes for which the work arrays are allocated; they are reused from one evaluation to the next.

    :param chunk: atoms that go through the phases together.
    :param n_pairs: pairs of such a chunk.
    :param n_neighbours: neighbours of one atom.
    :param n_gradients: gradients of one atom, B.
    """

    chunk: int
    n_pairs: int
    n_neighbours: int
    n_gradients: int

    def fits_into(self, other: _Room) -> bool:
        """Return whether no size is larger than that of ``other``."""
        return all(here <= there for here, there in zip(self, other, strict=True))

    def with_other(self, other: _Room) -> _Room:
        """Return room for both, with a quarter more of what grew, so that new neighbour lists rarely outgrow it."""
        chunk, n_pairs, n_neighbours, n_gradients = map(max, self, other)
        n_pairs += n_pairs // 4 if n_pairs > other.n_pairs else 0
        n_neighbours += n_neighbours // 4 if n_neighbours > other.n_neighbours else 0
        return _Room(chunk, n_pairs, n_neighbours, n_gradients)


class _Prepared(NamedTuple):
    """A batch prepared for evaluation.

    :param lists: neighbour lists; the kernels read them in place.
    :param batch: arguments of the kernels.
    :param n_atoms: number of atoms in the batch.
    :param chunk: atoms that go through the phases together.
    :param n_pairs: largest number of pairs of a chunk.
    :param n_neighbours: largest number of neighbours of an atom.
    """

    lists: Sequence[NeighbourList]
    batch: Batch
    n_atoms: int
    chunk: int
    n_pairs: int
    n_neighbours: int

    @classmethod
    def of(cls, cells: Cells, lists: Sequence[NeighbourList]) -> _Prepared:
        """Return the batch of these cells.

        :raises AnialError: if the lists belong to other cells.
        """
        batch, n_atoms = batch_arrays(cells, lists), len(cells.positions)
        chunk = chunk_of(n_atoms)
        n_neighbours = int(np.diff(batch.pair_offsets).max(initial=0))
        return cls(lists, batch, n_atoms, chunk, most_pairs(batch, chunk), n_neighbours)


class NumbaEngine:
    """Evaluates an ensemble by kernels that are compiled on first use, which takes some seconds, and cached on disk.

    Results are bitwise the same for any number of threads, and for a cell in any batch. A second evaluation waits until
    the first has ended.

    :param ensemble: the potential.
    :param settings: precision and number of threads.
    """

    def __init__(self, ensemble: Ensemble, settings: EngineSettings) -> None:
        self._model = ensemble.model
        self._self_energy = ensemble.self_energy
        self._dtype = np.dtype(settings.dtype)
        self._numbers = descriptor_numbers(ensemble.model.descriptor, self._dtype)
        self._networks = networks_arrays(ensemble, self._dtype)
        self._threads = settings.threads
        self._pool = ThreadPoolExecutor(max(settings.threads - 1, 1), thread_name_prefix='anial')
        self._lock = Lock()
        self._room = _Room(0, 0, 0, 0)
        self._make_room(self._room)
        self._last: _Prepared | None = None

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        """Return a list for each cell, valid in ``evaluate`` until an atom has moved by half of ``skin`` (angstrom)."""
        return neighbour_lists(cells, cutoff=self._model.descriptor.radial_cutoff_angstrom + skin)

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
        lists = self.neighbours(cells, skin=0.0) if neighbours is None else neighbours
        n_gradients = self._model.n_members if member_forces else int(forces or stress)
        with self._lock:
            results = self._run(self._prepare(cells, lists), n_gradients, with_virials=stress)

        totals = np.add.reduceat(results.energies, cells.offsets[:-1], axis=1)
        member_energies = totals + self._self_energy * cells.n_atoms
        stresses = None
        if stress:
            virials = results.virials.mean(axis=0)
            stresses = (virials + virials.transpose(0, 2, 1)) / (2 * cells.volumes[:, None, None])
        return Prediction(
            n_atoms=cells.n_atoms,
            energies=mean_over_members(member_energies),
            member_energies=member_energies,
            forces=results.forces.mean(axis=0) if forces else None,
            stresses=stresses,
            member_forces=results.forces if member_forces else None,
        )

    def _prepare(self, cells: Cells, lists: Sequence[NeighbourList]) -> _Prepared:
        """Return the prepared batch; most of it is reused if the lists are those of the last evaluation."""
        last = self._last
        # Only a tuple is sure not to have changed since.
        known = last is not None and last.lists is lists and isinstance(lists, tuple)
        if last is None or not known or not np.array_equal(last.batch.offsets, cells.offsets):
            last = self._last = _Prepared.of(cells, lists)
        return last._replace(batch=last.batch._replace(positions=plain(cells.positions)))

    def _run(self, prepared: _Prepared, n_gradients: int, *, with_virials: bool) -> Results:
        """Evaluate a batch on all threads and return the results."""
        batch, chunk = prepared.batch, prepared.chunk
        room = _Room(chunk, prepared.n_pairs, prepared.n_neighbours, n_gradients)
        if not room.fits_into(self._room):
            self._make_room(room)
        results = result_arrays(batch, n_members=self._networks.n_members, n_gradients=n_gradients)
        n_chunks = -(-prepared.n_atoms // chunk)
        crew = Crew(self._threads, np.zeros(n_chunks * 2 * PHASES, dtype=np.int64))
        given = (batch, self._numbers, self._networks, results, self._shared._replace(chunk=chunk))
        rest = (crew, n_gradients, with_virials)
        own, *others = self._scratch
        futures = [self._pool.submit(evaluate, *given, scratch, *rest) for scratch in others]
        evaluate(*given, own, *rest)
        for future in futures:
            future.result()
        return results

    def _make_room(self, room: _Room) -> None:
        """Allocate the work arrays anew, no smaller than before."""
        self._room = room.with_other(self._room)
        networks, dtype, n_gradients = self._networks, self._dtype, self._room.n_gradients
        self._shared = shared_arrays(
            networks, chunk=self._room.chunk, n_pairs=self._room.n_pairs, n_gradients=n_gradients, dtype=dtype
        )
        n_neighbours = self._room.n_neighbours
        self._scratch = [
            scratch_arrays(self._numbers, networks, n_neighbours=n_neighbours, n_gradients=n_gradients, dtype=dtype)
            for _ in range(self._threads)
        ]
