"""Compiled loops over the atoms of trajectories."""

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
    """Do half a kick, half a drift, the Ornstein-Uhlenbeck step and half a drift, in place.

    :param positions: ``[N, 3]`` angstrom.
    :param velocities: ``[N, 3]`` angstrom/fs.
    :param forces: ``[N, 3]`` eV/angstrom.
    :param noise: ``[N, 3]`` random numbers of unit variance.
    :param widths: ``[N]`` standard deviation of the noise in the velocities, angstrom/fs.
    :param kicks: ``[N]`` half the time step over the mass, angstrom/fs / (eV/angstrom).
    :param drift: half the time step, fs.
    :param damping: factor by which friction reduces velocities.
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
    """Return the indices of the trajectories in which an atom is further than ``limit`` from its reference.

    :param positions: ``[N, 3]`` angstrom.
    :param references: ``[N, 3]`` angstrom.
    :param offsets: ``[T + 1]`` first atom of each trajectory.
    :param limit: angstrom.
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
    """Return, for each trajectory, the sum of the squares of its ``vectors`` ``[N, 3]`` with ``weights`` ``[N]``."""
    sums = np.zeros(len(offsets) - 1)
    for trajectory in range(len(sums)):
        for atom in range(offsets[trajectory], offsets[trajectory + 1]):
            for k in range(3):
                sums[trajectory] += weights[atom] * vectors[atom, k] ** 2
    return sums


@compiled
def are_within(vectors: Floats, offsets: Integers, limit: float) -> Flags:
    """Return, for each trajectory, whether all components of its ``vectors`` ``[N, 3]`` are within ``limit``."""
    are = np.ones(len(offsets) - 1, dtype=np.bool_)
    for trajectory in range(len(are)):
        for atom in range(offsets[trajectory], offsets[trajectory + 1]):
            for k in range(3):
                if not abs(vectors[atom, k]) <= limit:  # also if it is NaN
                    are[trajectory] = False
    return are


@compiled
def least_square(positions: Floats, starts: Integers, neighbour: Integers, shift_vectors: Floats) -> float:
    """Return the square of the shortest distance of a listed pair in angstrom^2, infinite if there is no pair.

    :param positions: ``[n, 3]`` angstrom, of one trajectory.
    :param starts: ``[n + 1]`` first pair of each atom.
    :param neighbour: ``[P]`` the other atom of each pair.
    :param shift_vectors: ``[P, 3]`` lattice translation of that atom, angstrom.
    """
    least = np.inf
    for centre in range(len(positions)):
        for pair in range(starts[centre], starts[centre + 1]):
            other = neighbour[pair]
            if other < centre:  # the pair was visited from its other side
                continue
            square = 0.0
            for k in range(3):
                square += (positions[other, k] - positions[centre, k] + shift_vectors[pair, k]) ** 2
            least = min(least, square)
    return least


def closest_contact(positions: NDArray[np.float64], pairs: NeighbourList) -> float:
    """Return the distance in angstrom of the closest two atoms, periodic images included.

    An image of an atom counts as another atom. The distance is infinite if no pair is listed.

    :param positions: ``[n, 3]`` angstrom.
    :param pairs: neighbour list that is valid for these positions.
    """
    return math.sqrt(least_square(positions, pairs.starts, pairs.neighbour, pairs.shift_vectors))
