"""Labels of several shards as one file in a common format."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_anial import __version__
from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import exported_file
from aiida_anial.formats.datasets import write_dataset
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.formats.files import check_name

__all__ = ('export_dataset',)

_UNKNOWN = 'unknown'


@calcfunction
def export_dataset(settings: orm.Dict, **shards: DatasetData) -> orm.SinglefileData:
    """Return a file with the labels of ``shards``, in the order of their names.

    :param settings: ``file_format`` and ``filename``; ``rows``: by name of a shard the labels to take, all if it is
        missing; ``filters``: how they were chosen, for the header.
    :return: the file, its SHA-256 among its attributes.
    """
    values = settings.get_dict()
    dataset = _dataset(values, dict(sorted(shards.items())))
    with TemporaryDirectory() as folder:
        path = Path(folder) / check_name(values['filename'])
        write_dataset(path, dataset, file_format=values['file_format'])
        return exported_file(path, n_configurations=len(dataset), file_format=values['file_format'])


def _dataset(settings: dict[str, Any], shards: dict[str, DatasetData]) -> ExportedDataset:
    """Return the chosen labels, with a header that says where they are from."""
    parts, levels, theories = [], [], {}
    rows = settings.get('rows')
    for name, shard in shards.items():
        labelled = shard.labelled
        if rows is not None:
            labelled = labelled.select(np.array(rows[name], dtype=np.int64))
        theory = shard.level_of_theory
        key = theory.key if theory is not None else _UNKNOWN
        theories[key] = theory.to_dict() if theory is not None else None
        parts.append(labelled)
        levels.extend([key] * len(labelled))
    header = {
        'written_by': f'aiida-anial {__version__}',
        'schema_version': LabelledCells.SCHEMA_VERSION,
        'levels_of_theory': theories,
        'level_of_theory_units': LevelOfTheory.UNITS,
        'filters': settings.get('filters', {}),
        'shards': [shard.uuid for shard in shards.values()],
    }
    return ExportedDataset(LabelledCells.concatenate(parts), tuple(levels), header)
