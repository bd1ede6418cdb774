"""Ask again for children whose request the broker lost.

:hook: ``Process.load_instance_state``, ``Runner.controller.continue_process``
:changes: Some time after a daemon worker has loaded a work chain, the work chain looks for children that were created
    and that no worker has begun. If the broker does not know of them either, it asks for them again.
:why: AiiDA's ZeroMQ broker ends a moment before the daemon workers do. What they submit in that moment reaches
    nobody, and the parent waits for ever.
:upstream: aiida-core #5219 (work chain child created but not running), #1712; #7350 mends ``verdi process repair``
    for ZeroMQ, with the daemon stopped
:until: The broker outlives the workers, or the daemon requeues processes without a task when it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from aiida import orm
from aiida.common import timezone
from aiida.engine import ProcessState, WorkChain
from aiida.manage import get_manager
from plumpy.persistence import LoadSaveContext

from aiida_anial.runtime.deaf_workers import watch_broker
from aiida_anial.runtime.rabbitmq_tasks import without_worker
from aiida_anial.runtime.zeromq_tasks import requested

__all__ = ('FindsLostChildren',)

# By then a daemon that has started again has taken on everything that waited for it.
_GRACE_S = 20.0
# RabbitMQ does not tell which tasks it has handed to a worker that is too busy to begin them.
_RABBITMQ_GRACE_S = 120.0
_RABBITMQ = ('core.rabbitmq', 'anial.rabbitmq')


class FindsLostChildren(WorkChain):
    """Ask again, after a restart of the daemon, for children that no daemon worker has begun."""

    def load_instance_state(self, saved_state: Any, load_context: LoadSaveContext) -> None:
        """Continue in a daemon worker: watch the broker, and look for lost children a little later."""
        super().load_instance_state(saved_state, load_context)  # type: ignore[no-untyped-call]
        watch_broker(self.loop)
        self.loop.call_later(_grace_s(), self._ask_again)

    def _ask_again(self) -> None:
        """Send the request for each lost child again."""
        profile, controller = get_manager().get_profile(), self.runner.controller
        if controller is None or profile is None:
            return
        # The request for a child of this moment may still be on its way to the broker.
        moment = timezone.now() - timedelta(seconds=_grace_s())
        created = {child.pk: child for child in _never_begun(self.node) if child.ctime < moment}
        if profile.process_control_backend in _RABBITMQ:
            lost = without_worker(created)
        elif profile.process_control_backend == 'core.zeromq' and created:
            known = requested(profile)
            lost = [pk for pk in created if pk not in known]
        else:
            return
        for pk in lost:
            self.report(f'{created[pk].process_label}<{pk}> was lost on the way; action taken: ask for it again')
            controller.continue_process(pk, nowait=False, no_reply=True)


def _grace_s() -> float:
    """Return for how long a request may be on its way, in s."""
    profile = get_manager().get_profile()
    return _RABBITMQ_GRACE_S if profile and profile.process_control_backend in _RABBITMQ else _GRACE_S


def _never_begun(node: Any) -> Iterator[Any]:
    """Return the processes below ``node`` that no worker has begun, unless a work chain with this hook called them."""
    if node.is_terminated:
        return
    for child in node.called:
        if not isinstance(child, orm.CalcJobNode | orm.WorkChainNode):
            continue
        if child.process_state == ProcessState.CREATED:
            yield child
        elif isinstance(child, orm.WorkChainNode) and not issubclass(child.process_class, FindsLostChildren):
            yield from _never_begun(child)
