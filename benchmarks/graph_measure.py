"""What users wait for in a large graph, measured in the loaded profile: exports, counts, the status, an import."""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

__all__ = ('FILTERS', 'measure')

FILTERS: Final[dict[str, dict[str, Any]]] = {
    'all': {},
    'iteration': {'iteration': (10, 20)},
    'n_atoms': {'n_atoms': (100, 150)},
    'origin': {'origin': 'random'},
    'energy': {'energy_per_atom_ev': (None, -56.5), 'max_force_ev_per_angstrom': (None, 3.0)},
    'theory': {'code': 'pw.x', 'ecutwfc_ry': (10.0, 20.0)},
    'density': {'density_g_per_cm3': (2.5, 3.0), 'pressure_gpa': (-5.0, 5.0), 'split_block': [0, 1, 2]},
}
"""Typical conditions on labels."""

_SOME: Final = 'iteration'
_INITIAL: Final = {'origin': 'random'}
_NAIVE: Final = 100
_MAX_FORCE: Final = 50.0


def measure(campaign_pk: int, folder: Path, *, repeats: int, archive: bool) -> dict[str, Any]:
    """Return seconds by name, and what was counted.

    :param campaign_pk: the campaign.
    :param folder: for the files.
    :param repeats: of every step; the median counts.
    :param archive: whether to pack the campaign too.
    """
    from aiida import orm

    from aiida_anial.queries.campaign_status import campaign_status, load_campaign
    from aiida_anial.queries.records import count, records

    campaign = load_campaign(str(campaign_pk))
    n_labels = count('labels', campaigns=[campaign])
    found: dict[str, Any] = {'n_labels': n_labels, 'n_nodes': orm.QueryBuilder().append(orm.Node).count()}
    # The first of all exports pays for imports and for the caches of the database.
    _export(folder / 'warm-up.h5', 'hdf5', FILTERS['origin'])
    for name, suffix in (('extxyz', 'extxyz'), ('hdf5', 'h5')):
        path = folder / f'labels.{suffix}'
        found[f'export_{name}_s'] = _median(partial(_export, path, name, {}), repeats)
        found[f'{name}_bytes_per_label'] = path.stat().st_size / n_labels
        found[f'export_{name}_filtered_s'] = _median(partial(_export, path, name, FILTERS[_SOME]), repeats)
    counts = {name: _median(partial(count, 'labels', where), max(repeats, 3)) for name, where in FILTERS.items()}
    scoped = _median(lambda: count('labels', FILTERS[_SOME], campaigns=[campaign]), max(repeats, 3))
    found['count_s'] = max(*counts.values(), scoped)
    found['counts_s'] = {**counts, f'{_SOME}, in one campaign': scoped}
    found['records_s'] = _median(lambda: records('labels'), repeats)
    found['status_s'] = _median(lambda: campaign_status(load_campaign(str(campaign_pk))), repeats)
    naive = _naive_s(campaign) * n_labels
    found['naive_s'] = naive
    found['naive_ratio_export_extxyz'] = naive / found['export_extxyz_s']
    found |= _import(folder)
    found['training_job_links'] = _training_links(campaign)
    if archive:
        found |= _archive(campaign, folder / 'campaign.aiida', n_labels)
    return found


def _median(function: Callable[[], object], repeats: int) -> float:
    """Return the median of the seconds that a call takes."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _export(path: Path, file_format: str, where: dict[str, Any]) -> Any:
    """Do what ``aiida-anial export dataset`` does once it has started, and return the stored file."""
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
    """Return the seconds that a label takes when its nodes are loaded one after the other."""
    from aiida import orm

    from aiida_anial.data.pw_outputs import pw_label

    uuids = [uuid for shard in campaign.outputs.shards.values() for uuid in shard.labelled.uuids]
    chosen = random.Random(1).sample(uuids, min(_NAIVE, len(uuids)))  # noqa: S311 - no secret
    start = time.perf_counter()
    for uuid in chosen:
        job: Any = orm.load_node(uuid=uuid)
        pw_label(job.inputs.structure, job.outputs.output_parameters, job.outputs.output_trajectory)
    return (time.perf_counter() - start) / len(chosen)


def _import(folder: Path) -> dict[str, Any]:
    """Import the initial labels from a file as a shard of their own."""
    from aiida import orm

    from aiida_anial.calcfunctions.import_dataset import import_dataset
    from aiida_anial.formats.datasets import read_dataset

    path = folder / 'initial.h5'
    _export(path, 'hdf5', _INITIAL)
    start = time.perf_counter()
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
    return {'import_s': time.perf_counter() - start, 'import_n_labels': len(dataset)}


def _training_links(campaign: Any) -> int:
    """Return how many inputs the last training job has."""
    job = campaign.outputs.ensemble.creator
    return len(job.base.links.get_incoming().all())


def _archive(campaign: Any, path: Path, n_labels: int) -> dict[str, float]:
    """Pack the campaign with everything that it came from."""
    from aiida.tools.archive import create_archive

    start = time.perf_counter()
    create_archive([campaign], filename=path)
    took = time.perf_counter() - start
    size = path.stat().st_size
    return {'archive_s': took, 'archive_bytes': size, 'archive_bytes_per_label': size / n_labels}
