"""Processes that RabbitMQ was never asked to have run, or was told are done when they were not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kiwipy
from aiida.engine.processes.control import get_process_tasks
from aiida.manage import get_manager

__all__ = ('nobodys',)


def nobodys(pks: Iterable[int]) -> list[int]:
    """Return those of the processes that neither wait in RabbitMQ's queue nor are held by a worker of the daemon.

    One that is on its way from the one to the other is among them, for as long as its worker is busy: ask only about
    processes that nobody has touched for a while.
    """
    asked = list(pks)
    if not asked:
        return []
    broker, controller = get_manager().get_broker(), get_manager().get_process_controller()
    assert broker is not None
    waiting = set(get_process_tasks(broker))
    return [pk for pk in asked if pk not in waiting and not _is_held(controller, pk)]


def _is_held(controller: Any, pk: int) -> bool:
    """Return whether a worker listens to what the process is told; the answer itself does not matter."""
    try:
        controller.get_status(pk)
    except kiwipy.UnroutableError:
        return False
    return True
