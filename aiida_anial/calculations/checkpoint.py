"""The input by which a job continues an interrupted one."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine.processes.process_spec import CalcJobProcessSpec

__all__ = ('CHECKPOINT', 'define_checkpoint')

CHECKPOINT = 'checkpoint.safetensors'


def define_checkpoint(spec: CalcJobProcessSpec) -> None:
    """Add the optional input ``parent_folder``."""
    spec.input(
        'parent_folder',
        valid_type=orm.FolderData,
        required=False,
        validator=validate_checkpoint,
        help='Retrieved files of an interrupted job with the same inputs; this one goes on from its checkpoint.',
    )


def validate_checkpoint(folder: orm.FolderData | None, _: Any) -> str | None:
    """Refuse the files of a job that left no checkpoint."""
    if folder is None or CHECKPOINT in folder.base.repository.list_object_names():
        return None
    return f'parent_folder: FolderData<{folder.pk}> holds no checkpoint.'
