"""Lists of neighbours in periodic cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells

__all__ = ('NeighbourList', 'neighbour_list')


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """P directed pairs of atoms of a batch: each pair of atoms stands there twice, once from either side.

    The vector of a pair is ``positions[neighbour] - positions[centre] + shift_vectors``. As long as the lattices stay
    and no atom has moved further than half the skin, no pair within the cutoff less the skin is missing, provided that
    the positions are not wrapped back into the cell.

    :param centre: ``[P]`` index of the central atom in the batch, ascending, int64.
    :param neighbour: ``[P]`` index of the neighbour in the batch, int64; an atom may be its own, through images.
    :param shift_vectors: ``[P, 3]`` lattice translation of the neighbour's image in angstrom, float64.
    :param cutoff: the largest distance of a listed pair in angstrom, skin included.
    """

    centre: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    shift_vectors: NDArray[np.float64]
    cutoff: float

    def vectors(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the vectors ``[P, 3]`` in angstrom from centre to neighbour.

        :param positions: ``[N, 3]`` in angstrom.
        """
        vectors = positions[self.neighbour]
        vectors -= positions[self.centre]
        vectors += self.shift_vectors
        return vectors


def neighbour_list(cells: Cells, *, cutoff: float) -> NeighbourList:
    """Return all pairs no further apart than ``cutoff``, whatever the shape and size of the cells.

    :param cells: the batch; positions may lie outside of their cell.
    :param cutoff: in angstrom.
    """
    # The import of vesin loads torch, which this module's importers may not want.
    from vesin import NeighborList

    finder = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    pairs, shifts = [np.zeros((0, 2), dtype=np.int64)], [np.zeros((0, 3))]
    for (positions, lattice), offset in zip(cells, cells.offsets, strict=False):
        found, images = finder.compute(positions, lattice, periodic=True, quantities='PS')
        pairs.append(found.astype(np.int64) + offset)
        shifts.append(images @ lattice)
    stacked = np.concatenate(pairs)
    return NeighbourList(
        np.ascontiguousarray(stacked[:, 0]), np.ascontiguousarray(stacked[:, 1]), np.concatenate(shifts), cutoff
    )
