"""Read the files of many nodes at once.

:hook: ``repository_metadata`` of nodes with ``Repository.flatten``, ``iter_object_streams`` of the storage's
    repository, and ``ArrayData``'s names of files
:changes: One query and one pass through the object store give the arrays of many nodes.
:why: ``ArrayData.get_array`` takes four queries for each array, so that a hundred trajectories take seconds.
:upstream: none found
:until: AiiDA reads files of several nodes in bulk.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from aiida import orm
from aiida.manage import get_manager
from aiida.repository import Repository
from numpy.typing import NDArray

__all__ = ('arrays_of', 'contents_of')

_SUFFIX = '.npy'
# SQLite allows about a thousand values in a condition.
_BATCH = 500


def arrays_of(pks: Iterable[int], *names: str) -> dict[int, dict[str, NDArray[Any]]]:
    """Return arrays of ``ArrayData`` nodes, by pk and name.

    :param names: arrays to read, as far as a node has them; by default all.
    """
    wanted = [name + _SUFFIX for name in names]
    return {
        pk: {
            path.removesuffix(_SUFFIX): np.load(io.BytesIO(content), allow_pickle=False)
            for path, content in own.items()
        }
        for pk, own in contents_of(pks, *wanted).items()
    }


def contents_of(pks: Iterable[int], *paths: str) -> dict[int, dict[str, bytes]]:
    """Return the contents of files of nodes, by pk and path.

    :param paths: files to read, as far as a node has them; by default all.
    """
    keys = {(pk, path): key for pk, path, key in _keys(list(pks)) if not paths or path in paths}
    repository = get_manager().get_profile_storage().get_repository()
    contents = {key: stream.read() for key, stream in repository.iter_object_streams(list(set(keys.values())))}
    found: dict[int, dict[str, bytes]] = {}
    for (pk, path), key in keys.items():
        found.setdefault(pk, {})[path] = contents[key]
    return found


def _keys(pks: list[int]) -> Iterable[tuple[int, str, str]]:
    """Yield pk, path and key of the files of nodes."""
    for start in range(0, len(pks), _BATCH):
        query = orm.QueryBuilder()
        filters = {'id': {'in': pks[start : start + _BATCH]}}
        query.append(orm.Node, filters=filters, project=['id', 'repository_metadata'])
        for pk, metadata in query.all():
            yield from ((pk, path, key) for path, key in Repository.flatten(metadata).items() if key is not None)
