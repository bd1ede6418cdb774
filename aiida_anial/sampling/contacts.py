"""The closest two atoms of a cell."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.sampling.loops import least_square

__all__ = ('closest_contact',)


def closest_contact(positions: NDArray[np.float64], pairs: NeighbourList) -> float:
    """Return the distance in angstrom of the closest two atoms, periodic images included.

    An atom's own image counts as another atom. Without any listed pair the closest contact is at infinity.

    :param positions: ``[n, 3]`` angstrom.
    :param pairs: a list that holds for these positions.
    """
    return math.sqrt(least_square(positions, pairs.starts, pairs.neighbour, pairs.shift_vectors))
