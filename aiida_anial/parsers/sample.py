"""The parser of molecular dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from ase.data import chemical_symbols

from aiida_anial.calculations.sample import SampleCalculation
from aiida_anial.parsers.worker import WorkerParser
from aiida_anial.sampling.trajectory import Trajectory

__all__ = ('SampleParser', 'trajectory_node')


class SampleParser(WorkerParser):
    """Store each trajectory as a node, named after its initial cell."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished sampling."""
        names = sorted(self.node.inputs.cells)
        rows = summary['trajectories']
        if len(rows) != len(names):
            raise ValueError(f'{len(rows)} trajectories for {len(names)} cells')
        trajectories = {
            name: Trajectory.read(folder / SampleCalculation.TRAJECTORIES / f'{index:03d}.safetensors')
            for index, name in enumerate(names)
        }
        named = [row | {'cell': name} for row, name in zip(rows, names, strict=True)]
        for name, trajectory in trajectories.items():
            self.out(f'trajectories.{name}', trajectory_node(trajectory))
        self.out('table', orm.Dict({'trajectories': named}))


def trajectory_node(trajectory: Trajectory) -> orm.TrajectoryData:
    """Return the trajectory as a node, with the facts about its end as attributes for queries."""
    node = orm.TrajectoryData()
    node.set_trajectory(
        symbols=[chemical_symbols[number] for number in trajectory.species],
        positions=trajectory.positions,
        stepids=trajectory.steps.astype(int),
        cells=trajectory.lattices,
        times=trajectory.times_ps,
        pbc=(True, True, True),
    )
    for name in trajectory.SCALARS:
        node.set_array(name, getattr(trajectory, name))
    node.base.attributes.set_many(trajectory.row())
    return node
