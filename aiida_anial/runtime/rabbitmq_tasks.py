"""Find processes that no daemon worker will ever run, with RabbitMQ.

:hook: ``aiida.engine.processes.control.get_process_tasks``, ``RemoteProcessThreadController.get_status`` and
    ``kiwipy.UnroutableError``
:changes: Nothing; they are called.
:why: A request may be lost on its way to RabbitMQ, or be acknowledged although its process has not ended. ``verdi
    process repair`` mends this for a stopped daemon only.
:upstream: aiida-core #5219, #4289 (process is unreachable)
:until: AiiDA finds and requeues such processes while the daemon runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kiwipy
from aiida.engine.processes.control import get_process_tasks
from aiida.manage import get_manager

__all__ = ('without_worker',)


def without_worker(pks: Iterable[int]) -> list[int]:
    """Return the processes that neither wait in RabbitMQ's queue nor are held by a daemon worker.

    A process on its way from the queue to a busy worker is among them, so ask only about processes that have not
    changed for a while.
    """
    asked = list(pks)
    if not asked:
        return []
    broker, controller = get_manager().get_broker(), get_manager().get_process_controller()
    assert broker is not None
    waiting = set(get_process_tasks(broker))
    return [pk for pk in asked if pk not in waiting and not _is_held(controller, pk)]


def _is_held(controller: Any, pk: int) -> bool:
    """Return whether a daemon worker listens for messages to the process."""
    try:
        controller.get_status(pk)
    except kiwipy.UnroutableError:
        return False
    return True
