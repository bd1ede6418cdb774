"""Time the operations that users wait for in a large graph: exports, queries, the status, an import and an archive.

The campaign is in the loaded profile.
"""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import common

FILTERS: Final[dict[str, dict[str, Any]]] = {
    'all': {},
    'iteration': {'iteration': (10, 20)},
    'n_atoms': {'n_atoms': (100, 150)},
    'origin': {'origin': 'random'},
    'energy': {'energy_per_atom_ev': (None, -56.5), 'max_force_ev_per_angstrom': (None, 3.0)},
    'theory': {'code': 'pw.x', 'ecutwfc_ry': (10.0, 20.0)},
    'density': {'density_g_per_cm3': (2.5, 3.0), 'pressure_gpa': (-5.0, 5.0), 'split_block': [0, 1, 2]},
}
"""Typical filters of labels."""

_SOME: Final = 'iteration'
_INITIAL: Final = {'origin': 'random'}
_NAIVE: Final = 100
_MAX_FORCE: Final = 50.0


def measure(*, campaign: int, repeats: int, archive: bool) -> dict[str, Any]:
    """Return times in seconds, counts and sizes, by name.

    :param campaign: pk of the campaign.
    :param repeats: number of runs of every step, whose median is returned.
    :param archive: whether to archive the campaign as well.
    """
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.queries.records import count

    node = load_campaign(str(campaign))
    n_labels = count('labels', campaigns=[node])
    sizes = _sizes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {'n_labels': n_labels, **_exports(folder, repeats), **_questions(node, repeats)}
        found['naive_s'] = _naive_s(node) * n_labels
        found['naive_ratio_export_extxyz'] = found['naive_s'] / found['export_extxyz_s']
        found |= _import(folder)
        if archive:
            found |= _archive(node, folder / 'campaign.aiida')
    for kind in ('extxyz', 'hdf5', 'archive'):
        if f'{kind}_bytes' in found:
            sizes[kind] = found.pop(f'{kind}_bytes')
    return found | {f'{kind}_bytes_per_label': size / n_labels for kind, size in sizes.items()}


def _sizes() -> dict[str, int]:
    """Return the sizes of the database and of the file repository in bytes."""
    from aiida.manage import get_manager
    from sqlalchemy import text

    storage: Any = get_manager().get_profile_storage()
    with storage.get_repository()._container as container:
        files = container.get_total_size()
    with storage.transaction() as session:
        is_sqlite = session.get_bind().dialect.name == 'sqlite'
        question = 'SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()'
        size = session.execute(text(question if is_sqlite else 'SELECT pg_database_size(current_database())')).scalar()
    return {'database': size, 'repository': files.total_size_packed_on_disk + files.total_size_loose}


def _exports(folder: Path, repeats: int) -> dict[str, Any]:
    """Return the times of the exports in seconds, and the sizes of their files in bytes."""
    # The first export includes imports and the filling of the caches of the database.
    _export(folder / 'warm-up.h5', 'hdf5', _INITIAL)
    found: dict[str, Any] = {}
    for name, suffix in (('extxyz', 'extxyz'), ('hdf5', 'h5')):
        path = folder / f'labels.{suffix}'
        found[f'export_{name}_s'] = _median(partial(_export, path, name, {}), repeats)
        found[f'{name}_bytes'] = path.stat().st_size
        found[f'export_{name}_filtered_s'] = _median(partial(_export, path, name, FILTERS[_SOME]), repeats)
    return found


def _questions(campaign: Any, repeats: int) -> dict[str, Any]:
    """Return the times of queries and of the status in seconds, and the sizes of the graph."""
    from aiida import orm

    from aiida_anial.queries.campaign_status import campaign_status, load_campaign
    from aiida_anial.queries.records import count, records

    counts = {name: _median(partial(count, 'labels', where), max(repeats, 3)) for name, where in FILTERS.items()}
    scoped = _median(lambda: count('labels', FILTERS[_SOME], campaigns=[campaign]), max(repeats, 3))
    return {
        'n_nodes': orm.QueryBuilder().append(orm.Node).count(),
        'training_job_links': len(campaign.outputs.ensemble.creator.base.links.get_incoming().all()),
        'count_s': max(*counts.values(), scoped),
        'counts_s': {**counts, f'{_SOME}, in one campaign': scoped},
        'records_s': _median(lambda: records('labels'), repeats),
        'status_s': _median(lambda: campaign_status(load_campaign(str(campaign.pk))), repeats),
    }


def _median(function: Callable[[], object], repeats: int) -> float:
    """Return the median duration of a call in seconds."""
    return statistics.median(common.seconds(function) for _ in range(repeats))


def _export(path: Path, file_format: str, where: dict[str, Any]) -> Any:
    """Do what ``aiida-anial export dataset`` does after its start, and return the node of the file."""
    from aiida import orm

    from aiida_anial.calcfunctions.export_dataset import export_dataset
    from aiida_anial.queries.records import chosen_labels

    shards, rows = chosen_labels(where)
    settings: dict[str, Any] = {'file_format': file_format, 'filename': path.name, 'filters': {}}
    if rows is not None:
        settings['rows'] = rows
    node = export_dataset(settings=orm.Dict(settings), **shards)
    with node.open(mode='rb') as stored, path.open('wb') as copy:
        shutil.copyfileobj(stored, copy)
    return node


def _naive_s(campaign: Any) -> float:
    """Return the seconds per label if the nodes are loaded one by one."""
    from aiida import orm

    from aiida_anial.data.pw_outputs import pw_label

    uuids = [uuid for shard in campaign.outputs.shards.values() for uuid in shard.labelled.uuids]
    chosen = random.Random(1).sample(uuids, min(_NAIVE, len(uuids)))  # noqa: S311 - no secret

    def read() -> None:
        for uuid in chosen:
            job: Any = orm.load_node(uuid=uuid)
            pw_label(job.inputs.structure, job.outputs.output_parameters, job.outputs.output_trajectory)

    return common.seconds(read) / len(chosen)


def _import(folder: Path) -> dict[str, Any]:
    """Import the initial labels from a file as a new shard, and return the time in seconds and their number."""
    from aiida import orm

    from aiida_anial.calcfunctions.import_dataset import import_dataset
    from aiida_anial.formats.datasets import read_dataset

    path = folder / 'initial.h5'
    _export(path, 'hdf5', _INITIAL)

    def read() -> None:
        dataset = read_dataset(path)
        (level,) = set(dataset.levels)
        settings = {
            **dict.fromkeys(('file_format', 'energy_unit')),
            'trust_units': False,
            'level': level,
            'level_of_theory': dataset.header['levels_of_theory'][level],
            'max_force_ev_per_angstrom': _MAX_FORCE,
        }
        import_dataset(settings=orm.Dict(settings), file=orm.SinglefileData(path.absolute()))

    return {'import_s': common.seconds(read), 'import_n_labels': len(read_dataset(path))}


def _archive(campaign: Any, path: Path) -> dict[str, Any]:
    """Archive the campaign with its provenance, and return the time in seconds and the size in bytes."""
    from aiida.tools.archive import create_archive

    took = common.seconds(lambda: create_archive([campaign], filename=path))
    return {'archive_s': took, 'archive_bytes': path.stat().st_size}
