"""Find the export from which a file came."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.data.label import LabelData
from aiida_anial.data.nodes import CHECKSUMS, REPRODUCES, checksum
from aiida_anial.formats.datasets import read_dataset

__all__ = ('known_hashes', 'origin_of')


def origin_of(path: Path) -> dict[str, Any]:
    """Return the exports that wrote a file or, if there are none, which of its labels are in this profile.

    :return: ``exports``: pk, UUID, time and kind of the processes that wrote a file with these bytes, and the pks of
        their inputs. If there are none: ``n_configurations``, ``n_known`` (how many of its configurations are labels
        of this profile) and ``shards`` (the shards named in its header).
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
    known = known_hashes(dataset.hashes)
    shards = dataset.header.get('shards', [])
    return {
        'n_configurations': len(dataset),
        'n_known': sum(content in known for content in dataset.hashes),
        'shards': [{'uuid': uuid, 'pk': _pk(uuid)} for uuid in shards],
        'filters': dataset.header.get('filters', {}),
    }


def known_hashes(hashes: Iterable[str]) -> set[str]:
    """Return those content hashes of configurations for which this profile has a label."""
    wanted, known = sorted(set(hashes)), set[str]()
    for start in range(0, len(wanted), 10_000):
        filters = {'attributes.content_hash': {'in': wanted[start : start + 10_000]}}
        query = orm.QueryBuilder().append(LabelData, filters=filters, project='attributes.content_hash')
        known |= set(query.all(flat=True))
    return known


def _pk(uuid: str) -> Any:
    try:
        return orm.load_node(uuid=uuid).pk
    except NotExistent:
        return None
