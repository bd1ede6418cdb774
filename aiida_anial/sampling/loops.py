"""Compiled loops of the dynamics, and the closest contact across periodic images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aiida_anial.potential.kernels.machine import compiled
from aiida_anial.potential.neighbours import NeighbourList

__all__ = ('are_within', 'closest_contact', 'least_square', 'move', 'moved_further', 'square_sums')

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@compiled
def move(  # noqa: PLR0917 - compiled functions take no keyword-only arguments
    positions: Floats,
    velocities: Floats,
    forces: Floats,
    noise: Floats,
    widths: Floats,
    kicks: Floats,
    drift: float,
    damping: float,
) -> None:
    """Kick, drift, damp the velocities and add noise, and drift again, all in place.

    :param positions: ``[N, 3]`` angstrom.
    :param velocities: ``[N, 3]`` angstrom/fs.
    :param forces: ``[N, 3]`` eV/angstrom.
    :param noise: ``[N, 3]`` of unit variance.
    :param widths: ``[N]`` of the noise in the velocities, angstrom/fs.
    :param kicks: ``[N]`` half the time step over the mass, angstrom/fs / (eV/angstrom).
    :param drift: half the time step, fs.
    :param damping: factor of the velocities.
    """
    for atom in range(len(positions)):
        kick, width = kicks[atom], widths[atom]
        for k in range(3):
            velocity = velocities[atom, k] + kick * forces[atom, k]
            position = positions[atom, k] + drift * velocity
            velocity = damping * velocity + width * noise[atom, k]
            velocities[atom, k] = velocity
            positions[atom, k] = position + drift * velocity


@compiled
def moved_further(positions: Floats, references: Floats, offsets: Integers, limit: float) -> Integers:
    """Return the numbers of the trajectories of which an atom is further than ``limit`` (angstrom) from its reference.

    :param positions: ``[N, 3]`` angstrom.
    :param references: ``[N, 3]`` angstrom.
    """
    have = np.zeros(len(offsets) - 1, dtype=np.bool_)
    for trajectory in range(len(have)):
        for atom in range(offsets[trajectory], offsets[trajectory + 1]):
            square = 0.0
            for k in range(3):
                square += (positions[atom, k] - references[atom, k]) ** 2
            if square > limit**2:
                have[trajectory] = True
    return np.flatnonzero(have)


@compiled
def square_sums(vectors: Floats, weights: Floats, offsets: Integers) -> Floats:
    """Return ``[T]`` the sum of the squares of the vectors ``[N, 3]`` of each trajectory, weighted by ``[N]``."""
    sums = np.zeros(len(offsets) - 1)
    for trajectory in range(len(sums)):
        for atom in range(offsets[trajectory], offsets[trajectory + 1]):
            for k in range(3):
                sums[trajectory] += weights[atom] * vectors[atom, k] ** 2
    return sums


@compiled
def are_within(vectors: Floats, offsets: Integers, limit: float) -> Flags:
    """Return ``[T]`` whether no component of the vectors ``[N, 3]`` of a trajectory is beyond ``limit`` or NaN."""
    are = np.ones(len(offsets) - 1, dtype=np.bool_)
    for trajectory in range(len(are)):
        for atom in range(offsets[trajectory], offsets[trajectory + 1]):
            for k in range(3):
                if not abs(vectors[atom, k]) <= limit:  # true for NaN
                    are[trajectory] = False
    return are


@compiled
def least_square(positions: Floats, starts: Integers, neighbour: Integers, shift_vectors: Floats) -> float:
    """Return the square of the least distance of two listed atoms in angstrom^2, infinite without any.

    :param positions: ``[n, 3]`` angstrom, of one trajectory.
    :param starts: ``[n + 1]`` first pair of each atom.
    :param neighbour: ``[P]`` the other atom of each pair.
    :param shift_vectors: ``[P, 3]`` lattice vector of its image, angstrom.
    """
    least = np.inf
    for centre in range(len(positions)):
        for pair in range(starts[centre], starts[centre + 1]):
            other = neighbour[pair]
            if other < centre:  # it has seen this pair from its side
                continue
            square = 0.0
            for k in range(3):
                square += (positions[other, k] - positions[centre, k] + shift_vectors[pair, k]) ** 2
            least = min(least, square)
    return least


def closest_contact(positions: NDArray[np.float64], pairs: NeighbourList) -> float:
    """Return the distance in angstrom of the closest two atoms, periodic images included.

    An atom's own image counts as another atom. Without any listed pair the closest contact is at infinity.

    :param positions: ``[n, 3]`` angstrom.
    :param pairs: a list that holds for these positions.
    """
    return math.sqrt(least_square(positions, pairs.starts, pairs.neighbour, pairs.shift_vectors))
