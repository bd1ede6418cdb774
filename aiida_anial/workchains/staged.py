"""A work chain whose status says what it waits for, and that a daemon may be stopped under at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState, WorkChain
from aiida.manage import get_manager
from plumpy.persistence import LoadSaveContext

__all__ = ('StagedWorkChain',)

# By then a daemon that has started again has taken on everything that waited for it.
_GRACE_S = 20.0


class StagedWorkChain(WorkChain):
    """Put ``ctx.stage``, in plain words, before the pks of the children in the process status.

    A child is launched once, even if a daemon was killed before it could note the launch, and is asked for again if
    the request was lost: AiiDA's ZeroMQ broker ends a moment before the daemon's workers do, and what they submit in
    that moment reaches nobody. Every launch of one process needs a ``call_link_label`` of its own.
    """

    def submit(self, process: Any, inputs: dict[str, Any] | None = None, **kwargs: Any) -> orm.ProcessNode:
        """Submit a child, or return the one that was submitted under the same label when this step ran before."""
        label = kwargs.get('metadata', {}).get('call_link_label')
        links = self.node.base.links.get_outgoing(
            link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK), link_label_filter=label
        )
        for link in links.all() if label is not None else ():
            child: Any = link.node
            if link.link_label == label and (child.is_terminated or child.checkpoint is not None):
                self.report(f'{child.process_label}<{child.pk}> ({label}) was launched before; action taken: keep it')
                return cast(orm.ProcessNode, child)
        submitted: orm.ProcessNode = super().submit(process, inputs, **kwargs)
        return submitted

    def load_instance_state(self, saved_state: Any, load_context: LoadSaveContext) -> None:
        """Go on after a restart of the daemon, and look a little later for children that nobody has taken on."""
        super().load_instance_state(saved_state, load_context)  # type: ignore[no-untyped-call]
        self.loop.call_later(_GRACE_S, self._ask_again)

    def _ask_again(self) -> None:
        """Send the request for each lost child again."""
        profile, controller = get_manager().get_profile(), self.runner.controller
        # RabbitMQ is no part of the daemon, and loses nothing.
        if controller is None or profile is None or profile.process_control_backend != 'core.zeromq':
            return
        for child in _lost(self.node):
            self.report(f'{child.process_label}<{child.pk}> was lost on the way; action taken: ask for it again')
            controller.continue_process(child.pk, nowait=False, no_reply=True)

    def _update_process_status(self) -> None:
        if self._awaitables and not self.paused:
            pks = ', '.join(str(awaitable.pk) for awaitable in self._awaitables)
            self.set_status(f'{self.ctx.get("stage", "waiting")} ({pks})')
        else:
            super()._update_process_status()


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
