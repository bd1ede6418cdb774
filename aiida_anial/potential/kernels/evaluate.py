"""The evaluation of a batch in five phases, whose tasks the threads share.

The phases are descriptors, networks, gradients, pair gradients and forces. A chunk of about a thousand atoms goes
through all of them before the next one, which keeps intermediate arrays small. Threads take the tasks of a phase from a
counter, and wait for each other at its end. The result of a task does not depend on the thread, and the order of sums
over tasks is fixed, so results are bitwise the same for any number of threads, and for a cell in any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numba import njit

from aiida_anial.potential.kernels.features import angular_features, pair_factors, radial_features
from aiida_anial.potential.kernels.machine import (
    FINGERPRINT,
    LANES,
    claim,
    compiled,
    flush_denormals,
    pointers,
    read_counter,
    restore_denormals,
    yield_core,
)
from aiida_anial.potential.kernels.networks import network
from aiida_anial.potential.kernels.pair_gradients import angular_pair_gradients, radial_pair_gradients
from aiida_anial.potential.kernels.shells import gather, prepare, read_float, read_int

__all__ = (
    'PHASES',
    'Batch',
    'Crew',
    'Results',
    'Scratch',
    'Shared',
    'collect',
    'describe',
    'evaluate',
    'member_energies',
    'pair_gradients',
)

PHASES = 5
# Polls of a counter before a waiting thread yields its core.
_SPINS = 2000


class Batch(NamedTuple):
    """C cells with N atoms in all.

    :param positions: ``[N, 3]`` angstrom, float64.
    :param cell_of_atom: ``[N]`` cell of each atom.
    :param offsets: ``[C + 1]`` first atom of each cell.
    :param lists: addresses of the neighbour lists.
    :param pair_offsets: ``[N + 1]`` number of pairs of all atoms before each.
    """

    positions: Any
    cell_of_atom: Any
    offsets: Any
    lists: Any
    pair_offsets: Any


class Results(NamedTuple):
    """Results for C cells with N atoms in all, M members and B gradients; float64, initially 0.

    :param n_cells: number of cells C.
    :param n_atoms: number of atoms N.
    :param energies: ``[M, N]`` energies of the atoms, eV.
    :param forces: ``[B, N, 3]`` eV/angstrom.
    :param virials: ``[B, C, 3, 3]`` sums of vector times pair gradient, eV.
    """

    n_cells: Any
    n_atoms: Any
    energies: Any
    forces: Any
    virials: Any


class Shared(NamedTuple):
    """Intermediate results of a chunk, by which threads pass them from phase to phase; all arrays are flat.

    A chunk has A atoms in G groups of ``LANES``, with Q pairs; a descriptor has F features.

    :param chunk: most atoms of a chunk, a multiple of ``LANES``.
    :param n_pairs: Q, or more.
    :param features: ``[G, F, LANES]`` descriptors.
    :param member_gradients: ``[M, G, F, LANES]`` derivatives of the energies of each member by the descriptors.
    :param gradients: ``[A, B, F]`` the same in the order of the atoms, or their mean over members.
    :param pair_gradients: ``[B, Q, 3]`` derivatives by the vectors of the pairs, eV/angstrom.
    """

    chunk: Any
    n_pairs: Any
    features: Any
    member_gradients: Any
    gradients: Any
    pair_gradients: Any


class Crew(NamedTuple):
    """The threads of an evaluation.

    :param n_threads: number of threads.
    :param counters: ``[chunks, 2, PHASES]`` number of tasks taken, and of threads that have finished; initially 0.
    """

    n_threads: Any
    counters: Any


class Scratch(NamedTuple):
    """Work arrays of one thread.

    :param room: length K of arrays over neighbours.
    :param radial: radial shell of the current atom.
    :param angular: angular shell of the current atom.
    :param row: factors of a row of triples.
    :param work: work arrays of the chain rule.
    :param values: ``[neuron, LANES]`` activations of all hidden layers, flat.
    :param slopes: likewise, derivatives of the activations.
    :param deltas: likewise, derivatives of the energies.
    :param energies: ``[LANES]`` energies of a group of atoms by one member, eV.
    """

    room: Any
    radial: Any
    angular: Any
    row: Any
    work: Any
    values: Any
    slopes: Any
    deltas: Any
    energies: Any


@njit(forceinline=True)
def _shells(atom, batch, c, scratch):
    """Write the shells of an atom and the factors of its angular pairs; return the sizes of both shells."""
    cell = batch.cell_of_atom[atom]
    first = batch.offsets[cell]
    n_radial, n_angular = gather(batch, cell, atom - first, first, c, scratch.radial, scratch.angular)
    prepare(scratch.radial, n_radial, c.radial_cutoff)
    prepare(scratch.angular, n_angular, c.angular_cutoff)
    pair_factors(scratch.angular, n_angular, c, scratch.row.pairs)
    return n_radial, n_angular


@njit(forceinline=True)
def describe(atom, place, batch, c, shared, scratch, n_features):
    """Write the descriptor of an atom to ``shared.features``; ``place`` is the index of the atom in the chunk."""
    n_radial, n_angular = _shells(atom, batch, c, scratch)
    start = place // LANES * n_features * LANES + place % LANES
    radial_features(scratch.radial, n_radial, c, scratch.row.sums, shared.features, start, LANES)
    angular = start + c.n_radial * LANES
    angular_features(scratch.angular, n_angular, c, scratch.row, shared.features, angular, LANES)


@njit(forceinline=True)
def member_energies(task, n_groups, first, networks, shared, results, scratch, n_features, n_gradients):
    """Compute the energies of a group of atoms by one member, and their derivatives by the descriptors."""
    member, group = task // n_groups, task % n_groups
    size = n_features * LANES
    out = member * n_groups * size + group * size
    network(networks, member, shared.features, group * size, shared.member_gradients, out, scratch, n_gradients > 0)
    atom = first + group * LANES
    for lane in range(min(LANES, results.n_atoms - atom)):
        results.energies[member * results.n_atoms + atom + lane] = scratch.energies[lane]


@njit(forceinline=True)
def collect(group, n_groups, n_members, shared, n_features, n_gradients):
    """Write the gradients of a group, or their mean over members, in the order of the atoms."""
    size = n_features * LANES
    share = 1 / n_members
    for feature in range(n_features):
        for lane in range(LANES):
            at = group * size + feature * LANES + lane
            out = (group * LANES + lane) * n_gradients * n_features + feature
            if n_gradients == n_members:
                for member in range(n_members):
                    shared.gradients[out + member * n_features] = shared.member_gradients[member * n_groups * size + at]
            else:
                value = shared.member_gradients[at]
                for member in range(1, n_members):
                    value += shared.member_gradients[member * n_groups * size + at]
                shared.gradients[out] = value * share


@njit(forceinline=True)
def pair_gradients(atom, place, first_pair, batch, c, shared, scratch, n_features, n_gradients):
    """Write the derivatives of the energy of an atom by the vectors of all its pairs, zero beyond the cutoff."""
    n_radial, n_angular = _shells(atom, batch, c, scratch)
    radial, angular, work = scratch.radial, scratch.angular, scratch.work
    stride = scratch.room
    start = place * n_gradients * n_features
    first, last = batch.pair_offsets[atom] - first_pair, batch.pair_offsets[atom + 1] - first_pair
    cell = batch.cell_of_atom[atom]
    offset = first - read_int(batch.lists.starts[cell], atom - batch.offsets[cell])
    n_pairs = shared.n_pairs
    angular_pair_gradients(n_angular, shared.gradients, start, n_features, n_gradients, c, scratch)
    radial_pair_gradients(n_radial, shared.gradients, start, n_features, n_gradients, c, scratch)
    for b in range(n_gradients):
        for at in range(3 * (b * n_pairs + first), 3 * (b * n_pairs + last)):
            shared.pair_gradients[at] = 0
        for k in range(n_radial):
            at = 3 * (b * n_pairs + offset + radial.index[k])
            along = work.along[b * stride + k]
            shared.pair_gradients[at] = along * radial.x[k]
            shared.pair_gradients[at + 1] = along * radial.y[k]
            shared.pair_gradients[at + 2] = along * radial.z[k]
        for k in range(n_angular):
            at = 3 * (b * n_pairs + offset + radial.index[angular.index[k]])
            shared.pair_gradients[at] += work.x[b * stride + k]
            shared.pair_gradients[at + 1] += work.y[b * stride + k]
            shared.pair_gradients[at + 2] += work.z[b * stride + k]


@njit(forceinline=True)
def _scatter(cell, first, last, first_pair, batch, shared, results, n_gradients, with_virials):
    """Add the pair gradients of the atoms ``first`` to ``last - 1`` of a cell to its forces and its virial."""
    begin, end = batch.offsets[cell], batch.offsets[cell + 1]
    starts, neighbours = batch.lists.starts[cell], batch.lists.neighbour[cell]
    shifts, positions, forces = batch.lists.shift_vectors[cell], batch.positions, results.forces
    for b in range(n_gradients):
        for atom in range(max(first, begin), min(last, end)):
            of_centre = 3 * (b * results.n_atoms + atom)
            at = 3 * (b * shared.n_pairs + batch.pair_offsets[atom] - first_pair)
            for pair in range(read_int(starts, atom - begin), read_int(starts, atom - begin + 1)):
                neighbour = begin + read_int(neighbours, pair)
                of_neighbour = 3 * (b * results.n_atoms + neighbour)
                for i in range(3):
                    gradient = shared.pair_gradients[at + i]
                    forces[of_centre + i] += gradient
                    forces[of_neighbour + i] -= gradient
                    if with_virials:
                        shift = read_float(shifts, 3 * pair + i)
                        vector = positions[3 * neighbour + i] - positions[3 * atom + i] + shift
                        for k in range(3):
                            results.virials[9 * (b * results.n_cells + cell) + 3 * i + k] += (
                                vector * shared.pair_gradients[at + k]
                            )
                at += 3


@njit(forceinline=True)
def _wait(chunk, phase, crew):
    """Report that this thread has finished a phase, and wait for the others."""
    if crew.n_threads == 1:
        return
    slot = (2 * chunk + 1) * PHASES + phase
    claim(crew.counters, slot)
    spins = 0
    while read_counter(crew.counters, slot) < crew.n_threads:
        spins += 1
        if spins > _SPINS:
            yield_core()


@njit(forceinline=True)
def _energies_of_chunk(crew, chunk, first, last, batch, c, networks, shared, results, scratch, n_gradients):
    """Do this thread's share of the first three phases of a chunk: descriptors, networks and gradients."""
    n_features = networks.widths[0]
    n_groups = (last - first + LANES - 1) // LANES
    slot = 2 * chunk * PHASES
    task = claim(crew.counters, slot)
    while task < last - first:
        describe(first + task, task, batch, c, shared, scratch, n_features)
        task = claim(crew.counters, slot)
    _wait(chunk, 0, crew)
    task = claim(crew.counters, slot + 1)
    while task < n_groups * networks.n_members:
        member_energies(task, n_groups, first, networks, shared, results, scratch, n_features, n_gradients)
        task = claim(crew.counters, slot + 1)
    _wait(chunk, 1, crew)
    if n_gradients:
        task = claim(crew.counters, slot + 2)
        while task < n_groups:
            collect(task, n_groups, networks.n_members, shared, n_features, n_gradients)
            task = claim(crew.counters, slot + 2)
        _wait(chunk, 2, crew)


@njit(forceinline=True)
def _forces_of_chunk(
    crew, chunk, first, last, batch, c, shared, results, scratch, n_gradients, n_features, with_virials
):
    """Do this thread's share of the last two phases of a chunk: pair gradients and forces."""
    first_pair = batch.pair_offsets[first]
    slot = 2 * chunk * PHASES
    task = claim(crew.counters, slot + 3)
    while task < last - first:
        pair_gradients(first + task, task, first_pair, batch, c, shared, scratch, n_features, n_gradients)
        task = claim(crew.counters, slot + 3)
    _wait(chunk, 3, crew)
    first_cell, last_cell = batch.cell_of_atom[first], batch.cell_of_atom[last - 1]
    task = claim(crew.counters, slot + 4)
    while task <= last_cell - first_cell:
        _scatter(first_cell + task, first, last, first_pair, batch, shared, results, n_gradients, with_virials)
        task = claim(crew.counters, slot + 4)
    _wait(chunk, 4, crew)


def _compiled(fingerprint: int) -> Callable[..., None]:
    """Return ``evaluate``, compiled; ``fingerprint`` selects the code in the cache."""

    @compiled
    def evaluate(batch, c, networks, results, shared, scratch, crew, n_gradients, with_virials):
        """Do this thread's share of an evaluation.

        :param batch: the cells.
        :param c: the constants of the descriptor.
        :param networks: the weights of all members.
        :param results: written.
        :param shared: intermediate results, shared by all threads.
        :param scratch: work arrays of this thread.
        :param crew: the threads; each must call this function, and waits for all others.
        :param n_gradients: 0 for energies only, 1 for the forces of the mean, M for those of every member.
        :param with_virials: whether to compute the virials too.
        """
        _ = fingerprint
        before = flush_denormals()
        batch, c, networks = pointers(batch), pointers(c), pointers(networks)
        results, shared = pointers(results), pointers(shared)
        scratch, crew = pointers(scratch), pointers(crew)
        n_atoms, n_features = results.n_atoms, networks.widths[0]
        for chunk in range((n_atoms + shared.chunk - 1) // shared.chunk):
            first = chunk * shared.chunk
            last = min(first + shared.chunk, n_atoms)
            _energies_of_chunk(crew, chunk, first, last, batch, c, networks, shared, results, scratch, n_gradients)
            if n_gradients:
                _forces_of_chunk(
                    crew, chunk, first, last, batch, c, shared, results, scratch, n_gradients, n_features, with_virials
                )
        restore_denormals(before)

    return evaluate


evaluate = _compiled(FINGERPRINT)
