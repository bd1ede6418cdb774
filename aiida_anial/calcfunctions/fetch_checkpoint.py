"""The checkpoint that a killed job left in its work directory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.calculations.worker import CHECKPOINT

__all__ = ('fetch_checkpoint', 'has_checkpoint')


@calcfunction
def fetch_checkpoint(remote: orm.RemoteData) -> orm.FolderData:
    """Return the checkpoint in a work directory, as a job that ends by itself retrieves it.

    :param remote: work directory of a training or of dynamics.
    """
    folder = orm.FolderData()
    with tempfile.TemporaryDirectory() as local:
        path = str(Path(local) / CHECKPOINT)
        remote.getfile(CHECKPOINT, path)
        folder.base.repository.put_object_from_file(path, CHECKPOINT)
    return folder


def has_checkpoint(remote: orm.RemoteData) -> bool:
    """Return whether the work directory still exists and holds a checkpoint."""
    try:
        return CHECKPOINT in remote.listdir()
    except OSError:
        return False
