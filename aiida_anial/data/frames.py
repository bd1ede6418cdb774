"""Frames of trajectory nodes as cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from aiida import orm
from ase.data import atomic_numbers

from aiida_anial.common.cells import Cells
from aiida_anial.sampling.frames import FrameSettings, draw

__all__ = ('FrameCells', 'drawn_cells')


class FrameCells(NamedTuple):
    """Frames of trajectories.

    :param cells: C cells.
    :param uuids: UUID of the trajectory of each of them.
    """

    cells: Cells
    uuids: list[str]


def drawn_cells(
    trajectories: Mapping[str, orm.TrajectoryData], settings: FrameSettings, *, seed: int
) -> dict[str, FrameCells]:
    """Draw frames of trajectories at random, with all lengths rounded to 1e-6 angstrom, as those of structures are.

    :return: ``learn``, frames to learn from, and ``test``, frames of other trajectories.
    :raises AnialError: if there is only one trajectory.
    """
    drawn = draw({name: node.get_shape('positions')[0] for name, node in trajectories.items()}, settings, seed=seed)
    return {
        part: _cells([(trajectories[name], index) for name, index in frames])
        for part, frames in drawn._asdict().items()
    }


def _cells(frames: list[tuple[orm.TrajectoryData, int]]) -> FrameCells:
    cells = Cells.from_lists(
        [np.round(node.get_array('positions')[index], 6) for node, index in frames],
        [np.round(node.get_array('cells')[index], 6) for node, index in frames],
        species=[[atomic_numbers[symbol] for symbol in node.symbols] for node, _ in frames],
    )
    return FrameCells(cells, [node.uuid for node, _ in frames])
