"""The end of a process on request, with all that it has called."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from aiida import orm
from plumpy.process_states import Waiting

__all__ = ('InterruptibleWaiting', 'asking_the_living', 'have_all_ended')


class InterruptibleWaiting(Waiting):  # type: ignore[misc]
    """Waiting that may be interrupted also after what it waits for has come, and before the process has noticed.

    Plumpy raises an error then, and AiiDA asks none of the children to end. The interruption is carried out either
    way, as soon as the process goes on.
    """

    def interrupt(self, reason: BaseException) -> None:
        """Stop waiting.

        :param reason: what is raised where the process waits.
        """
        if not self._waiting_future.done():
            super().interrupt(reason)


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


async def have_all_ended(node: orm.ProcessNode, answer: Awaitable[bool]) -> bool:
    """Return whether all that a killed process called has ended, when all have answered.

    A child that ends by itself before the request reaches it says no, and AiiDA calls that a problem.

    :param answer: AiiDA's.
    """
    return await answer or all(child.is_terminated for child in node.called)


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
