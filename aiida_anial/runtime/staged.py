"""A work chain whose status says what it waits for, and that a daemon may be stopped under at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from aiida import orm
from aiida.common import timezone
from aiida.engine import ProcessState
from aiida.manage import get_manager
from plumpy.persistence import LoadSaveContext

from aiida_anial.runtime.killing import InterruptibleWaiting, asking_the_living, have_all_ended
from aiida_anial.runtime.linked import LinkedWorkChain
from aiida_anial.runtime.pausing import PausingWorkChain
from aiida_anial.runtime.rabbitmq_requests import nobodys
from aiida_anial.runtime.zeromq_requests import requested

__all__ = ('StagedWorkChain',)

# By then a daemon that has started again has taken on everything that waited for it.
_GRACE_S = 20.0
# RabbitMQ does not tell what it has handed to a worker that is too busy to begin it.
_RABBITMQ_GRACE_S = 120.0
_RABBITMQ = ('core.rabbitmq', 'anial.rabbitmq')


class StagedWorkChain(LinkedWorkChain, PausingWorkChain):
    """Put ``ctx.stage``, in plain words, before the pks of the children in the process status.

    A child is asked for again if the request was lost: AiiDA's ZeroMQ broker ends a moment before the daemon's workers
    do, and what they submit in that moment reaches nobody.
    """

    @classmethod
    def get_state_classes(cls) -> dict[Any, Any]:
        """Return the class of each state."""
        return {**super().get_state_classes(), ProcessState.WAITING: InterruptibleWaiting}

    def load_instance_state(self, saved_state: Any, load_context: LoadSaveContext) -> None:
        """Go on after a restart of the daemon, and look a little later for children that nobody has taken on."""
        super().load_instance_state(saved_state, load_context)
        self.loop.call_later(_grace_s(), self._ask_again)

    def update_outputs(self) -> None:
        """Store new outputs; AiiDA asks the database at each change of the state which of them it has."""
        if self.outputs:
            super().update_outputs()

    def kill(self, msg_text: str | None = None, force_kill: bool = False) -> Any:
        """End, with all that it has called."""
        with asking_the_living(self.runner):
            answer = super().kill(msg_text, force_kill)
        return self.loop.create_task(have_all_ended(self.node, answer)) if asyncio.isfuture(answer) else answer

    def _ask_again(self) -> None:
        """Send the request for each lost child again."""
        profile, controller = get_manager().get_profile(), self.runner.controller
        if controller is None or profile is None:
            return
        # What was launched only now may be on its way to the broker.
        moment = timezone.now() - timedelta(seconds=_grace_s())
        lost = {child.pk: child for child in _lost(self.node) if child.ctime < moment}
        if profile.process_control_backend in _RABBITMQ:
            pks = nobodys(lost)
        elif profile.process_control_backend == 'core.zeromq' and lost:
            taken_on = requested(profile)
            pks = [pk for pk in lost if pk not in taken_on]
        else:
            return
        for pk in pks:
            self.report(f'{lost[pk].process_label}<{pk}> was lost on the way; action taken: ask for it again')
            controller.continue_process(pk, nowait=False, no_reply=True)

    def _update_process_status(self) -> None:
        if self._awaitables and not self.paused:
            pks = ', '.join(str(awaitable.pk) for awaitable in self._awaitables)
            self.set_status(f'{self.ctx.get("stage", "waiting")} ({pks})')
        else:
            super()._update_process_status()


def _grace_s() -> float:
    """Return how long a request may be on its way."""
    profile = get_manager().get_profile()
    return _RABBITMQ_GRACE_S if profile and profile.process_control_backend in _RABBITMQ else _GRACE_S


def _lost(node: Any) -> Iterator[Any]:
    """Return the processes under ``node`` that nobody has begun, save those that another such chain looks after."""
    if node.is_terminated:
        return
    for child in node.called:
        if not isinstance(child, orm.CalcJobNode | orm.WorkChainNode):
            continue
        if child.process_state == ProcessState.CREATED:
            yield child
        elif isinstance(child, orm.WorkChainNode) and not issubclass(child.process_class, StagedWorkChain):
            yield from _lost(child)
