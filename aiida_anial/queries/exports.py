"""Find the export from which a file came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.data.nodes import CHECKSUMS, REPRODUCES, checksum
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.queries.records import records

__all__ = ('known_hashes', 'origin_of')

_BATCH: Final = 10_000
# Labels that differ by less have lost digits in a text file.
_SAME: Final = {'energy_ev': 1e-5, 'force_ev_per_angstrom': 1e-5, 'stress_ev_per_angstrom3': 1e-6}


def origin_of(path: Path) -> dict[str, Any]:
    """Return the exports that wrote a file or, if there are none, which of its labels are in this profile.

    :return: ``exports``: pk, UUID, time and kind of the processes that wrote a file with these bytes, and the pks of
        their inputs. If there are none: ``n_configurations``, ``n_known`` (how many of its configurations are labelled
        in this profile), ``n_same`` (how many of these have the same energy, forces and stress there),
        ``largest_differences`` of the others, and ``shards`` (the shards named in its header).
    :raises AnialError: if the file cannot be read.
    """
    if not path.is_file():
        raise AnialError(f'{path}: no such file.')
    digest = checksum(path)
    filters = {f'attributes.{CHECKSUMS}': {'has_key': digest}, 'extras': {'!has_key': REPRODUCES}}
    # Ensembles have this attribute too, as text, of which PostgreSQL's `has_key` is true if it equals the key.
    query = orm.QueryBuilder().append((orm.SinglefileData, orm.FolderData), filters=filters)
    exports = [_export(node) for node in query.all(flat=True)]
    found: dict[str, Any] = {'path': str(path), 'sha256': digest, 'exports': exports}
    return found if exports else found | _known_labels(path)


def _export(node: Any) -> dict[str, Any]:
    """Return the process that created ``node``, and its inputs."""
    process = node.creator
    inputs = {link.link_label: link.node.pk for link in process.base.links.get_incoming().all()}
    return {
        'pk': process.pk,
        'uuid': process.uuid,
        'process': process.process_label,
        'time': process.ctime.isoformat(timespec='seconds'),
        'file': node.pk,
        'inputs': inputs,
        'filters': process.inputs.settings.get_dict().get('filters', {}),
    }


def _known_labels(path: Path) -> dict[str, Any]:
    """Return how many configurations of a dataset are labels of this profile, whoever wrote the file."""
    try:
        dataset = read_dataset(path, trust_units=True, may_be_part=True)
    except FileFormatError as exception:
        raise AnialError(
            f'{path}: no export of this profile wrote it, and it is not a dataset ({exception}).'
        ) from None
    shards = dataset.header.get('shards', [])
    return {
        'n_configurations': len(dataset),
        **_comparison(dataset.labelled, dataset.hashes),
        'shards': [{'uuid': uuid, 'pk': _pk(uuid)} for uuid in shards],
        'filters': dataset.header.get('filters', {}),
    }


def _comparison(labelled: LabelledCells, hashes: Sequence[str]) -> dict[str, Any]:
    """Return how many configurations are labelled in this profile, and how many have the same label there.

    Where this profile has several labels of a configuration, the closest counts.
    """
    closest: dict[int, dict[str, float]] = {}
    for shard, rows in _rows_by_shard(hashes).items():
        stored = orm.load_node(shard).labelled
        for index, row in rows:
            found = _differences(labelled, index, stored, row)
            if index not in closest or _excess(found) < _excess(closest[index]):
                closest[index] = found
    others = [found for found in closest.values() if _excess(found) > 1]
    return {
        'n_known': len(closest),
        'n_same': len(closest) - len(others),
        'largest_differences': {name: max(found[name] for found in others) for name in _SAME} if others else None,
    }


def _rows_by_shard(hashes: Sequence[str]) -> dict[int, list[tuple[int, int]]]:
    """Return which configurations are in which row of a shard, by the pk of the shard."""
    indices: dict[str, list[int]] = {}
    for index, content in enumerate(hashes):
        indices.setdefault(content, []).append(index)
    found: dict[int, list[tuple[int, int]]] = {}
    for record in _labels_of(indices):
        rows = [(index, record['row']) for index in indices[record['content_hash']]]
        found.setdefault(record['shard'], []).extend(rows)
    return found


def _labels_of(hashes: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield content hash, shard and row of the labels of configurations."""
    wanted = sorted(set(hashes))
    for start in range(0, len(wanted), _BATCH):
        where = {'content_hash': wanted[start : start + _BATCH]}
        yield from records('labels', where, columns=('content_hash', 'shard', 'row'))


def _differences(one: LabelledCells, index: int, other: LabelledCells, row: int) -> dict[str, float]:
    """Return the largest differences between two labels of the same configuration, by the names in ``_SAME``."""
    return {
        'energy_ev': abs(float(one.energies[index] - other.energies[row])),
        'force_ev_per_angstrom': float(np.abs(one.forces_of(index) - other.forces_of(row)).max()),
        'stress_ev_per_angstrom3': float(np.abs(one.stresses[index] - other.stresses[row]).max()),
    }


def _excess(differences: dict[str, float]) -> float:
    return max(differences[name] / same for name, same in _SAME.items())


def known_hashes(hashes: Iterable[str]) -> set[str]:
    """Return those content hashes of configurations for which this profile has a label."""
    return {record['content_hash'] for record in _labels_of(hashes)}


def _pk(uuid: str) -> Any:
    try:
        return orm.load_node(uuid=uuid).pk
    except NotExistent:
        return None
