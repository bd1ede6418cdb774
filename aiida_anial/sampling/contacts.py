"""The closest two atoms of each cell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.potential.neighbours import NeighbourList

__all__ = ('closest_contacts',)


def closest_contacts(cells: Cells, neighbours: NeighbourList) -> NDArray[np.float64]:
    """Return ``[C]`` the distance in angstrom of the closest two atoms, periodic images included.

    An atom's own image counts as another atom. A cell without any listed pair has its closest contact at infinity.

    :param neighbours: list that holds for these positions.
    """
    vectors = neighbours.vectors(cells.positions)
    squares = np.einsum('px,px->p', vectors, vectors)
    bounds = np.searchsorted(neighbours.centre, cells.offsets)
    closest = [squares[first:last].min() if last > first else np.inf for first, last in pairwise(bounds.tolist())]
    return np.sqrt(np.array(closest, dtype=np.float64))
