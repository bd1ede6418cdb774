"""The input by which a job continues an interrupted one."""

from __future__ import annotations

from aiida import orm
from aiida.engine.processes.process_spec import CalcJobProcessSpec

__all__ = ('define_checkpoint',)


def define_checkpoint(spec: CalcJobProcessSpec) -> None:
    """Add the optional input ``parent_folder``."""
    spec.input(
        'parent_folder',
        valid_type=orm.FolderData,
        required=False,
        help='Retrieved files of an interrupted job with the same inputs; this one goes on from its checkpoint.',
    )
