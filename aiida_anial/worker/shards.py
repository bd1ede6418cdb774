"""The datasets that a job is given."""

from __future__ import annotations

from pathlib import Path

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labelled_cells import LabelledCells

__all__ = ('read_shards',)


def read_shards(directory: Path) -> LabelledCells:
    """Return the configurations of all files in ``shards/``, in the order of their names.

    :raises FileFormatError: if there are none, or one is not a dataset.
    """
    paths = sorted((directory / 'shards').glob('*.safetensors'))
    if not paths:
        raise FileFormatError(f'{directory / "shards"}: there is no dataset (*.safetensors).')
    return LabelledCells.concatenate([LabelledCells.read(path) for path in paths])
