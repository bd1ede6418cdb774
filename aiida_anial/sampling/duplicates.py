"""The candidates of a task, compared with the labelled configurations and with one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiida_anial.common.cells import Cells
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.trajectory import Trajectory

__all__ = ('compared',)


def compared(trajectories: Sequence[Trajectory], novelty: Novelty, limit: float | None) -> tuple[Trajectory, ...]:
    """Return the trajectories with the novelty of their candidates, and with duplicates marked.

    :param trajectories: all of a task, in the order of their index.
    :param limit: ``duplicate_novelty`` of the settings of the dynamics.
    """
    cells = Cells.from_lists(
        [one.positions[one.candidate_frame] for one in trajectories],
        [one.lattices[one.candidate_frame] for one in trajectories],
        species=[one.species for one in trajectories],
    )
    duplicates = {} if limit is None else novelty.duplicates(cells, limit)
    return tuple(
        replace(one, candidate_novelty=float(value), duplicate_of=duplicates.get(one.index))
        for one, value in zip(trajectories, novelty.of(cells), strict=True)
    )
