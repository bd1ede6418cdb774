"""Decide which nodes are equal, and run a process with or without the cache.

:hook: ``NodeCaching``, ``Data._CLS_NODE_CACHING`` and the contexts of ``aiida.manage.caching``
:changes: A node that names its content by a checksum is hashed by that alone. After an exception,
    too, the cache is as it was before.
:why: AiiDA hashes all attributes and files of a node, among them the UUIDs of the calculations that gave its labels:
    equal labels would not be equal nodes. An exception inside ``disable_caching`` or ``enable_caching``
    leaves the cache as it was inside, for as long as the process lives.
:upstream: none found
:until: AiiDA has a public hook for the hash of a data class, and its context managers restore the cache in ``finally``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from aiida.manage.caching import disable_caching, enable_caching
from aiida.orm.nodes.caching import NodeCaching

__all__ = ('CachingByContent', 'with_cache', 'without_cache')


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
    return _within(disable_caching(), run)


def with_cache(identifier: str | None, run: Callable[[], Any]) -> Any:
    """Return what ``run`` returns, and let processes of one type take their outputs from the cache meanwhile.

    :param identifier: process type, such as ``aiida.calculations:anial.property``; None: none more than otherwise.
    :raises Exception: whatever ``run`` raises, after the cache is as it was before.
    """
    return run() if identifier is None else _within(enable_caching(identifier=identifier), run)


def _within(context: AbstractContextManager[None], run: Callable[[], Any]) -> Any:
    failure: Exception | None = None
    result: Any = None
    with context:
        try:
            result = run()
        except Exception as exception:  # it must not pass through the context
            failure = exception
    if failure is not None:
        raise failure
    return result
