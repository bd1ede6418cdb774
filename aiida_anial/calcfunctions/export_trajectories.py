"""Trajectories as files in a common format."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial import __version__
from aiida_anial.data.nodes import exported_folder
from aiida_anial.formats.trajectories import TRAJECTORY_FORMATS, TrajectoryFrames, write_trajectory

__all__ = ('export_trajectories',)

_FRAMES = ('cells', 'positions', 'steps', 'times', 'times_ps')


@calcfunction
def export_trajectories(settings: orm.Dict, **trajectories: orm.TrajectoryData) -> orm.FolderData:
    """Return a folder with one file for each trajectory, and a companion where the format needs one.

    :param settings: ``file_format``; ``filters``: how they were chosen, for the headers.
    :return: the files, named after the trajectories' UUIDs, their SHA-256 among the attributes.
    """
    values = settings.get_dict()
    suffix = TRAJECTORY_FORMATS[values['file_format']].suffix
    with TemporaryDirectory() as folder:
        for node in trajectories.values():
            path = Path(folder) / f'{node.uuid}{suffix}'
            write_trajectory(path, _frames(node, values.get('filters', {})), file_format=values['file_format'])
        return exported_folder(Path(folder), n_trajectories=len(trajectories), file_format=values['file_format'])


def _frames(node: orm.TrajectoryData, filters: dict[str, Any]) -> TrajectoryFrames:
    """Return the frames of a stored trajectory."""
    names = [name for name in node.get_arraynames() if name not in _FRAMES]
    return TrajectoryFrames(
        symbols=list(node.symbols),
        positions=node.get_array('positions'),
        lattices=node.get_array('cells'),
        steps=node.get_array('steps'),
        times_ps=node.get_array('times'),
        scalars={name: array for name in sorted(names) if (array := node.get_array(name)).ndim == 1},
        stop_reason=node.base.attributes.get('stop_reason'),
        header={'written_by': f'aiida-anial {__version__}', 'trajectory': node.uuid, 'filters': filters},
    )
