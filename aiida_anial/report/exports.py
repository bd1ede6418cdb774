"""Export labels and ensemble of a release to other programs' formats, as stored processes like `aiida-anial export`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm

from aiida_anial.calcfunctions.export_dataset import export_dataset
from aiida_anial.calcfunctions.export_ensemble import export_ensemble
from aiida_anial.common.errors import AnialError
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, write_ensemble
from aiida_anial.report.sources import ReleaseSources

__all__ = ('Exports', 'write_exports')

_DATASETS = {'extxyz': 'dataset.extxyz', 'hdf5': 'dataset.h5'}


@dataclass(frozen=True)
class Exports:
    """The exported files.

    :param processes: process that wrote each file or folder, by its name.
    :param left_out: why a format cannot represent this ensemble, by the name of the file or folder.
    """

    processes: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def records(self) -> list[dict[str, str]]:
        """Return name, process and source of each file."""
        return [
            {'path': path, 'process': f'{process.process_label} {process.uuid}', 'source': _source(process)}
            for path, process in self.processes.items()
        ]


def write_exports(sources: ReleaseSources, folder: Path) -> Exports:
    """Write labels and ensemble into ``folder``."""
    exports = Exports()
    for file_format, name in _DATASETS.items():
        # The same filters as `export dataset --campaign UUID`, which then writes the same bytes in any profile.
        filters = {'campaigns': [sources.campaign.uuid]}
        settings = {'file_format': file_format, 'filename': name, 'filters': filters}
        exports.processes[name] = _copied(export_dataset(settings=orm.Dict(settings), **sources.shards), folder / name)
    ensemble = sources.ensemble.ensemble
    for file_format, known in ENSEMBLE_FORMATS.items():
        name = f'ensemble-{file_format}' if known.is_folder else f'ensemble{known.suffix}'
        try:
            with TemporaryDirectory() as trial:
                write_ensemble(Path(trial) / name, ensemble, file_format=file_format)
        except AnialError as exception:
            exports.left_out[name] = str(exception)
            continue
        settings = {'file_format': file_format, 'filename': name}
        node = export_ensemble(settings=orm.Dict(settings), ensemble=sources.ensemble)
        exports.processes[name] = _copied(node, folder / name)
    return exports


def _copied(node: Any, path: Path) -> Any:
    """Copy the content of a node to ``path``, and return the process that created the node."""
    if isinstance(node, orm.SinglefileData):
        with node.open(mode='rb') as stored, path.open('wb') as copy:
            shutil.copyfileobj(stored, copy)
    else:
        node.base.repository.copy_tree(path)
    return node.creator


def _source(process: Any) -> str:
    """Return a description of what a process exported."""
    if 'ensemble' in process.inputs:
        return f'ensemble {process.inputs.ensemble.uuid}'
    return f'{len(process.base.links.get_incoming().all()) - 1} shards'
