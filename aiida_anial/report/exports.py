"""Write the labels and the ensemble of a release for other programs, and the AiiDA archive with their provenance."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm
from aiida.tools.archive.create import EXPORT_LOGGER, create_archive
from aiida.tools.archive.exceptions import ExportValidationError
from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip
from aiida_pseudo.data.pseudo import UpfData

from aiida_anial.calcfunctions.export_dataset import export_dataset
from aiida_anial.calcfunctions.export_ensemble import export_ensemble
from aiida_anial.common.errors import AnialError
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, write_ensemble
from aiida_anial.report.sources import ReleaseSources

__all__ = ('Archive', 'Exports', 'write_archive', 'write_exports', 'write_pseudopotentials')

_DATASETS = {'extxyz': 'dataset.extxyz', 'hdf5': 'dataset.h5', 'parquet': 'dataset.parquet'}


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


def write_exports(sources: ReleaseSources, folder: Path, note: Callable[[Any], Any]) -> Exports:
    """Write labels and ensemble into ``folder``, each by a stored process like those of ``aiida-anial export``.

    :param note: gets the settings of each process before it starts, and returns them.
    """
    exports = Exports()
    for file_format, name in _DATASETS.items():
        # The same filters as `export dataset --campaign UUID`, which then writes the same bytes in any profile.
        filters = {'campaigns': [sources.campaign.uuid]}
        settings = {'file_format': file_format, 'filename': name, 'filters': filters}
        exports.processes[name] = _copied(
            export_dataset(settings=note(orm.Dict(settings)), **sources.shards), folder / name
        )
    ensemble = sources.ensemble.ensemble
    formats = {name: known for name, known in ENSEMBLE_FORMATS.items() if known.extra is None}
    for file_format, known in formats.items():
        name = f'ensemble-{file_format}' if known.is_folder else f'ensemble{known.suffix}'
        try:
            with TemporaryDirectory() as trial:
                write_ensemble(Path(trial) / name, ensemble, file_format=file_format)
        except AnialError as exception:
            exports.left_out[name] = str(exception)
            continue
        settings = {'file_format': file_format, 'filename': name}
        node = export_ensemble(settings=note(orm.Dict(settings)), ensemble=sources.ensemble)
        exports.processes[name] = _copied(node, folder / name)
    return exports


def write_pseudopotentials(sources: ReleaseSources, folder: Path) -> None:
    """Write the pseudopotentials of the labels into the new folder ``folder``; there is none without any.

    Where several have one filename, their checksums come before it.
    """
    theories = {shard.level_of_theory for shard in sources.shards.values()}
    known = {one.pseudo_md5 for one in theories if one is not None and one.pseudo_md5 is not None}
    # One checksum, or `Al:MD5 Ni:MD5`.
    sums = [word.split(':')[-1] for text in sorted(known) for word in text.split()]
    if not sums:
        return
    query = orm.QueryBuilder().append(UpfData, filters={'attributes.md5': {'in': sums}})
    pseudos = {pseudo.md5: pseudo for pseudo in query.all(flat=True)}
    filenames = Counter(pseudo.filename for pseudo in pseudos.values())
    for md5, pseudo in pseudos.items():
        folder.mkdir(exist_ok=True)
        name = pseudo.filename if filenames[pseudo.filename] == 1 else f'{md5}-{pseudo.filename}'
        (folder / name).write_bytes(pseudo.get_content(mode='rb'))


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


@dataclass(frozen=True)
class Archive:
    """The content of an archive.

    :param is_whole: whether it contains the campaign itself and all processes that it called.
    :param n_nodes: number of nodes.
    """

    is_whole: bool
    n_nodes: int


def write_archive(path: Path, campaign: Any, results: Sequence[Any]) -> Archive:
    """Archive the campaign and its results with all their ancestors and everything that the campaign called.

    AiiDA does not archive running processes. For a running campaign, only the results and the calculations and data
    behind them are written.

    :param results: data of the campaign, and the processes that exported them.
    """
    try:
        _create(path, [campaign, *results])
    except ExportValidationError:
        _create(path, list(results), with_callers=False)
        return Archive(False, _n_nodes(path))
    return Archive(True, _n_nodes(path))


def _create(path: Path, entities: list[Any], *, with_callers: bool = True) -> None:
    with _quietly():
        create_archive(entities, filename=path, call_calc_backward=with_callers, call_work_backward=with_callers)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep AiiDA from printing its long report."""
    level = EXPORT_LOGGER.level
    EXPORT_LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        EXPORT_LOGGER.setLevel(level)


def _n_nodes(path: Path) -> int:
    with ArchiveFormatSqlZip().open(path, mode='r') as reader:
        return int(reader.querybuilder().append(orm.Node).count())
