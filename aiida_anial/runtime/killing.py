"""Kill a work chain with all its children, whenever the request arrives.

:hook: ``Process.get_state_classes``, ``plumpy.process_states.Waiting.interrupt``, ``Waiting._waiting_future`` and
    ``Runner._controller``
:changes: A work chain that waits may be killed also in the moment after its child has ended, only children that have
    not ended are asked to end, and a child that ends by itself before it hears the request is no error.
:why: In that moment plumpy raises an error and no child is asked to end. AiiDA also asks children that have ended,
    and waits for an answer that nobody gives: ``verdi process kill`` then times out although it was carried out.
:upstream: aiida-core #3776 (children are properly killed when their parent is); for plumpy none found, but aiida-core
    #7671 gives a future of its own the same guard
:until: AiiDA's ``kill`` leaves out terminated children, and plumpy's ``Waiting`` can be interrupted after it is
    resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from aiida import orm
from aiida.engine import ProcessState, WorkChain
from plumpy.process_states import Waiting

__all__ = ('KillsChildren',)


class KillsChildren(WorkChain):
    """End on request, with all that this work chain has called."""

    @classmethod
    def get_state_classes(cls) -> dict[Any, Any]:
        """Return the class of each state."""
        return {**super().get_state_classes(), ProcessState.WAITING: _InterruptibleWaiting}

    def kill(self, msg_text: str | None = None, force_kill: bool = False) -> Any:
        """End this work chain and all its children."""
        with _asking_the_living(self.runner):
            answer = super().kill(msg_text, force_kill)
        return self.loop.create_task(_have_all_ended(self.node, answer)) if asyncio.isfuture(answer) else answer


class _InterruptibleWaiting(Waiting):  # type: ignore[misc]
    """A waiting state that may be interrupted after its child has ended and before the process has noticed."""

    def interrupt(self, reason: BaseException) -> None:
        """Stop waiting; the process carries the interruption out as soon as it runs.

        :param reason: what is raised where the process waits.
        """
        if not self._waiting_future.done():
            super().interrupt(reason)


@contextmanager
def _asking_the_living(runner: Any) -> Iterator[None]:
    """Let a work chain that is killed ask only the children that have not ended."""
    controller = runner._controller
    if controller is None:
        yield
        return
    runner._controller = _Controller(controller)
    try:
        yield
    finally:
        runner._controller = controller


async def _have_all_ended(node: orm.ProcessNode, answer: Awaitable[bool]) -> bool:
    """Return whether all children of a killed process have ended, once all have answered.

    :param answer: of AiiDA; false also if a child ended by itself before the request reached it.
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
