"""How far the atomic environments of a configuration are from those that have labels.

Members that were trained on the same labels may agree by chance on environments that none of them has seen. Distances
between environments do not depend on the members. An environment is described by a few smooth radial and angular terms
of the kind of Smith et al., Chem. Sci. 8, 3192 (2017), whatever the potential is, each divided by its standard
deviation over the labelled environments. The novelty of a configuration is the distance of the atom that is farthest
from all labelled environments, relative to what is usual: the median over the labelled configurations, each compared
with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.potential.neighbours import NeighbourList, joined, neighbour_lists
from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('Novelty', 'environments')

_DESCRIPTOR: Final = DescriptorSettings(
    radial_cutoff_angstrom=6.0,
    radial_eta_per_angstrom2=4.0,
    radial_shifts_angstrom=tuple(1.75 + 0.5 * k for k in range(8)),
    angular_cutoff_angstrom=4.0,
    angular_eta_per_angstrom2=2.0,
    angular_shifts_angstrom=(2.25, 3.0),
    angular_zeta=8.0,
    angle_shifts_rad=tuple(np.pi * (k + 0.5) / 4 for k in range(4)),
)
# Configurations that are compared with the others to find the unit.
_COMPARED: Final = 300


def environments(cells: Cells, lists: Sequence[NeighbourList] | None = None) -> NDArray[np.float64]:
    """Return the descriptors ``[N, 16]`` of the environments of all atoms.

    :param lists: neighbour list of each cell, with all pairs within 6 angstrom; computed if left out.
    """
    # Imported only here: torch takes a while to load, and most samplings measure no novelty.
    import torch

    from aiida_anial.potential.descriptor import descriptors

    if lists is None:
        lists = neighbour_lists(cells, cutoff=_DESCRIPTOR.radial_cutoff_angstrom)
    with torch.no_grad():
        found = descriptors(torch.from_numpy(np.array(cells.positions)), joined(lists), _DESCRIPTOR)
    values: NDArray[np.float64] = found.numpy()
    return values


class Novelty:
    """Measures novelty against labelled configurations.

    :param known: the configurations, at least two.
    :ivar cutoff_angstrom: range of the descriptors.
    :raises AnialError: if there are fewer.
    """

    cutoff_angstrom: Final = _DESCRIPTOR.radial_cutoff_angstrom

    def __init__(self, known: Cells) -> None:
        if len(known) < 2:
            raise AnialError(f'novelty: it needs two labelled configurations, not {len(known)}.')
        found = environments(known)
        self._widths = np.maximum(found.std(axis=0), 1e-12)
        self._points = found / self._widths
        self._tree = KDTree(self._points)
        self._unit = float(np.median(self._among_themselves(known)))

    def of(self, cells: Cells, lists: Sequence[NeighbourList] | None = None) -> NDArray[np.float64]:
        """Return the novelty ``[C]`` of each cell.

        :param lists: neighbour list of each cell, with all pairs within 6 angstrom; computed if left out.
        """
        points = environments(cells, lists) / self._widths
        distances, _ = self._tree.query(points)
        novelties: NDArray[np.float64] = np.maximum.reduceat(distances, cells.offsets[:-1]) / self._unit
        return novelties

    def duplicates(self, cells: Cells, limit: float) -> dict[int, int]:
        """Return the cells that are duplicates of an earlier one that is not, each with that one.

        :param limit: two cells are duplicates if no environment of either is further than this, in the unit of novelty,
            from the closest one of the other.
        """
        points = environments(cells) / self._widths
        parts = np.split(points, cells.offsets[1:-1])
        distances = [np.maximum.reduceat(KDTree(part).query(points)[0], cells.offsets[:-1]) for part in parts]
        are_close = np.stack(distances) <= limit * self._unit
        are_close &= are_close.T
        found: dict[int, int] = {}
        for index in range(len(cells)):
            others = [other for other in range(index) if are_close[index, other] and other not in found]
            if others:
                found[index] = others[0]
        return found

    def _among_themselves(self, known: Cells) -> list[float]:
        """Return the distance of labelled configurations, evenly chosen, from all others."""
        chosen = np.unique(np.linspace(0, len(known) - 1, _COMPARED).round().astype(int))
        found = []
        for index in chosen.tolist():
            own = range(int(known.offsets[index]), int(known.offsets[index + 1]))
            # One more than its own atoms reaches an environment of another configuration.
            distances, neighbours = self._tree.query(self._points[own.start : own.stop], k=len(own) + 1)
            foreign = (neighbours < own.start) | (neighbours >= own.stop)
            found.append(float(np.where(foreign, distances, np.inf).min(axis=1).max()))
        return found
