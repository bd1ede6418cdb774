"""Decide which nodes are equal, and run a process without the cache.

:hook: ``NodeCaching``, ``Data._CLS_NODE_CACHING`` and ``aiida.manage.caching.disable_caching``
:changes: A node that names its content by a checksum is hashed by that alone. The cache is switched on again also after
    an exception.
:why: AiiDA hashes all attributes and files of a node, among them the UUIDs of the calculations that gave its labels:
    equal labels would not be equal nodes. An exception inside ``disable_caching`` leaves the cache off for the process.
:upstream: none found
:until: AiiDA has a public hook for the hash of a data class, and its context managers restore the cache in ``finally``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida.manage.caching import disable_caching
from aiida.orm.nodes.caching import NodeCaching

__all__ = ('CachingByContent', 'without_cache')


class CachingByContent(NodeCaching):
    """Hash a node by its class and its attribute ``content_checksum``; for ``_CLS_NODE_CACHING``."""

    def get_objects_to_hash(self) -> dict[str, Any]:
        """Return the objects that the hash is made of."""
        attributes = self._node.base.attributes
        return {'class': str(type(self._node)), 'content': attributes.get('content_checksum')}


def without_cache(run: Callable[[], Any]) -> Any:
    """Return what ``run`` returns, and take nothing from the cache meanwhile.

    :raises Exception: whatever ``run`` raises, after the cache is as it was before.
    """
    failure: Exception | None = None
    result: Any = None
    with disable_caching():
        try:
            result = run()
        except Exception as exception:  # it must not pass through the context
            failure = exception
    if failure is not None:
        raise failure
    return result
