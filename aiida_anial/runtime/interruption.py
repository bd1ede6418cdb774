"""Ctrl-C and SIGTERM in commands: nothing goes on, and nothing incomplete stays in the graph.

:hook: ``KilledError``, which ends a process that runs in this interpreter, and ``DELETE_LOGGER``
:changes: A signal ends the command and not only the process that it runs. What the command has stored but not written
    to its file is deleted.
:why: On Ctrl-C AiiDA kills the process of the moment, which may have stored its outputs already. The error looks like
    one of the process, so whoever runs one process after another goes on with the next; and an export would remain for
    a file that does not exist.
:upstream: none found
:until: AiiDA raises ``KeyboardInterrupt`` after it has killed the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiida import orm
from aiida.tools import delete_nodes
from aiida.tools.graph.deletions import DELETE_LOGGER
from plumpy import KilledError

__all__ = ('all_or_nothing', 'interruptible')


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` if a process that the block runs is killed by a signal."""
    try:
        yield
    except KilledError as exception:
        raise KeyboardInterrupt from exception


@contextmanager
def all_or_nothing() -> Iterator[Callable[[Any], Any]]:
    """Delete what the block has stored if it fails or is interrupted.

    The block gets a function that notes a new input of its processes, and returns it. With the input, AiiDA deletes
    the processes that it went into and what they created.
    """
    noted: list[orm.Data] = []

    def note(node: Any) -> Any:
        noted.append(node)
        return node

    try:
        with interruptible():
            yield note
    except BaseException:
        _delete([node.pk for node in noted if node.is_stored and node.pk is not None])
        raise


def _delete(pks: list[int]) -> None:
    if not pks:
        return
    level = DELETE_LOGGER.level
    DELETE_LOGGER.setLevel(logging.ERROR)
    try:
        delete_nodes(pks, dry_run=False)
    finally:
        DELETE_LOGGER.setLevel(level)
