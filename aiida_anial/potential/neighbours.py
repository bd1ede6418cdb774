"""Neighbour lists of periodic cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells

__all__ = ('NeighbourList', 'joined', 'neighbour_lists')

# Room for pairs, relative to a uniform density. It rarely runs out; then the list is made a second time.
_USUAL_EXCESS = 1.3


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """P directed pairs of n atoms: each pair of atoms is listed twice, once from either side.

    The vector of a pair is ``positions[neighbour] - positions[centre] + shift_vectors``. The list holds all pairs
    within the cutoff minus the skin as long as the lattice stays the same, no atom has moved further than half the
    skin, and positions are not wrapped back into the cell.

    :param starts: ``[n + 1]`` the pairs of atom ``i`` are ``starts[i]`` to ``starts[i + 1] - 1``, int64.
    :param neighbour: ``[P]`` index of the neighbour, int64; an atom can be its own neighbour through an image.
    :param shift_vectors: ``[P, 3]`` lattice translation of the neighbour's image in angstrom, float64.
    :param cutoff: largest distance of a listed pair in angstrom, including the skin.
    """

    starts: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    shift_vectors: NDArray[np.float64]
    cutoff: float

    def __post_init__(self) -> None:
        """Convert the arrays to the layout that compiled code reads."""
        for name, dtype in (('starts', np.int64), ('neighbour', np.int64), ('shift_vectors', np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))

    @cached_property
    def addresses(self) -> tuple[int, int, int]:
        """Addresses of ``starts``, ``neighbour`` and ``shift_vectors`` in memory, valid as long as this list exists."""
        return self.starts.ctypes.data, self.neighbour.ctypes.data, self.shift_vectors.ctypes.data

    @cached_property
    def centre(self) -> NDArray[np.int64]:
        """``[P]`` index of the central atom, ascending."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int64), np.diff(self.starts))

    def vectors(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the vectors ``[P, 3]`` in angstrom from centre to neighbour.

        :param positions: ``[n, 3]`` in angstrom.
        """
        vectors = positions[self.neighbour]
        vectors -= positions[self.centre]
        vectors += self.shift_vectors
        return vectors


def neighbour_lists(cells: Cells, *, cutoff: float) -> tuple[NeighbourList, ...]:
    """Return the list of each cell, with all pairs up to ``cutoff``; cells may have any shape and size.

    :param cells: the batch; positions may lie outside their cell.
    :param cutoff: in angstrom.
    """
    return tuple(
        _list(positions, lattice, float(volume), cutoff)
        for (positions, lattice), volume in zip(cells, cells.volumes, strict=True)
    )


def _list(positions: NDArray[np.float64], lattice: NDArray[np.float64], volume: float, cutoff: float) -> NeighbourList:
    """Return the list of one cell."""
    # Imported only here: numba takes a while to load, and many importers of this module never call it.
    from aiida_anial.potential.kernels.lists import find_pairs

    n_atoms = len(positions)
    positions, lattice = np.array(positions, order='C'), np.array(lattice, order='C')
    starts = np.zeros(n_atoms + 1, dtype=np.int64)
    room = int(_USUAL_EXCESS * n_atoms * n_atoms / volume * 4 / 3 * math.pi * cutoff**3) + 64
    while True:
        neighbour, shift_vectors = np.empty(room, dtype=np.int64), np.empty((room, 3))
        n_pairs = find_pairs(positions, lattice, float(cutoff), starts, neighbour, shift_vectors)
        if n_pairs <= room:
            return NeighbourList(starts, neighbour[:n_pairs].copy(), shift_vectors[:n_pairs].copy(), cutoff)
        room = n_pairs


def joined(lists: Sequence[NeighbourList]) -> NeighbourList:
    """Return one list for a batch, whose atoms are those of its cells one after another.

    :param lists: the list of each cell.
    """
    atoms = np.cumsum([0] + [len(part.starts) - 1 for part in lists])
    pairs = np.cumsum([0] + [len(part.neighbour) for part in lists])
    return NeighbourList(
        np.concatenate([part.starts[:-1] + first for part, first in zip(lists, pairs, strict=False)] + [pairs[-1:]]),
        np.concatenate([pairs[:0]] + [part.neighbour + first for part, first in zip(lists, atoms, strict=False)]),
        np.concatenate([np.zeros((0, 3))] + [part.shift_vectors for part in lists]),
        min((part.cutoff for part in lists), default=math.inf),
    )
