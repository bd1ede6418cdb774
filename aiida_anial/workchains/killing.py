"""The end of a process on request, with all that it has called."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from aiida import orm

__all__ = ('asking_the_living',)


@contextmanager
def asking_the_living(runner: Any) -> Iterator[None]:
    """Let a work chain that is killed ask only those of its children to end that have not.

    AiiDA asks all of them, and waits for answers that nobody gives for the others: the request of ``verdi process
    kill`` then times out, although it was carried out.
    """
    controller = runner._controller
    if controller is None:
        yield
        return
    runner._controller = _Controller(controller)
    try:
        yield
    finally:
        runner._controller = controller


class _Controller:
    """A process controller that answers for processes that have ended."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    def kill_process(self, pk: int, **keywords: Any) -> Any:
        """Ask a process to end."""
        node: Any = orm.load_node(pk)
        if not node.is_terminated:
            return self._controller.kill_process(pk, **keywords)
        answer: Future[bool] = Future()
        answer.set_result(True)
        return answer
