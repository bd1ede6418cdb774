"""Launch a child once, although a step may be taken twice.

:hook: ``WorkChain.submit`` and ``ProcessNode.checkpoint``
:changes: A child that was submitted under the same ``call_link_label`` is returned, if it has ended or can continue.
:why: AiiDA stores a checkpoint before and after a step, not within. A step during which the daemon was killed, or the
    disk filled up, is taken again from its beginning and would pay for its children twice.
:upstream: aiida-core #3671 (reduce the probability of spawning calculations and losing track of them between daemon
    restarts)
:until: AiiDA records the submissions of a step, and takes a step that was cut short up where it was.
"""

from __future__ import annotations

from typing import Any, cast

from aiida import orm
from aiida.common import LinkType
from aiida.engine import WorkChain

__all__ = ('LaunchesOnce',)


class LaunchesOnce(WorkChain):
    """Submit each child once. Every launch of one process needs a ``call_link_label`` of its own."""

    def submit(self, process: Any, inputs: dict[str, Any] | None = None, **kwargs: Any) -> orm.ProcessNode:
        """Submit a child, or return the one that this step submitted under the same label when it ran before."""
        label = kwargs.get('metadata', {}).get('call_link_label')
        kinds = (LinkType.CALL_CALC, LinkType.CALL_WORK)
        links = self.node.base.links.get_outgoing(link_type=kinds, link_label_filter=label).all() if label else ()
        for link in links:
            child: Any = link.node
            # The filter of the database knows wildcards; a child without a checkpoint can never begin.
            if link.link_label == label and (child.is_terminated or child.checkpoint is not None):
                self.report(f'{child.process_label}<{child.pk}> ({label}) was launched before; action taken: keep it')
                return cast(orm.ProcessNode, child)
        submitted: orm.ProcessNode = super().submit(process, inputs, **kwargs)
        return submitted
