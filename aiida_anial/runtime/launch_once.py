"""Pay for a child once: take the child of this step, else a finished twin, else submit a new one.

:hook: ``WorkChain.submit`` and ``ProcessNode.checkpoint``
:changes: A child that was submitted under the same ``call_link_label`` is returned, if it has ended or can continue.
    If the caller gives a fingerprint, so is a work chain of any caller that finished well with this fingerprint. A
    caller may also let a job take its outputs from AiiDA's cache, whatever the profile caches otherwise.
:why: AiiDA stores a checkpoint before and after a step, not within. A step during which the daemon was killed, or the
    disk filled up, is taken again from its beginning and would pay for its children twice. AiiDA's cache knows jobs
    alone, and tells jobs of two codes apart.
:upstream: aiida-core #3671 (reduce the probability of spawning calculations and losing track of them between daemon
    restarts)
:until: AiiDA records the submissions of a step, and takes a step that was cut short up where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any, Final, cast

from aiida import orm
from aiida.common import LinkType
from aiida.engine import WorkChain

from aiida_anial.runtime.caching import with_cache

__all__ = ('FINGERPRINT', 'LaunchesOnce', 'fingerprint', 'finished_twins')

FINGERPRINT: Final = 'fingerprint'
"""Extra of a work chain: a hash of all that its results depend on."""


def fingerprint(**content: Any) -> str:
    """Return the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def finished_twins(fingerprints: Collection[str]) -> dict[str, Any]:
    """Return, by fingerprint, the newest work chain that finished well with it; those that have none are left out."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode,
        filters={f'extras.{FINGERPRINT}': {'in': list(fingerprints)}, 'attributes.exit_status': 0},
        project=[f'extras.{FINGERPRINT}', '*'],
        tag='chain',
    )
    return dict(query.order_by({'chain': {'id': 'asc'}}).all())


class LaunchesOnce(WorkChain):
    """Submit each child once. Every launch of one process needs a ``call_link_label`` of its own."""

    def submit(
        self,
        process: Any,
        inputs: dict[str, Any] | None = None,
        *,
        twin: str | None = None,
        cached: bool = False,
        **kwargs: Any,
    ) -> orm.ProcessNode:
        """Return the child of this step, else a finished twin, else a new child.

        A twin keeps its own caller; what this process takes from it is linked by the data.

        :param twin: fingerprint of a work chain; a new child carries it for those that come later.
        :param cached: whether a job may take its outputs from an equal one.
        """
        label = kwargs.get('metadata', {}).get('call_link_label')
        child = self._launched(label) or (finished_twins([twin]).get(twin) if twin else None)
        if child is not None:
            self.report(f'{child.process_label}<{child.pk}> ({label}) was launched before; action taken: keep it')
        else:
            submit = super().submit
            # How a process is cached is asked where it is created, whatever runs it.
            identifier = process.build_process_type() if cached else None
            child = with_cache(identifier, lambda: submit(process, inputs, **kwargs))
        if twin:
            child.base.extras.set(FINGERPRINT, twin)
        return cast(orm.ProcessNode, child)

    def _launched(self, label: str | None) -> Any:
        """Return the child that this step submitted under the same label when it ran before."""
        kinds = (LinkType.CALL_CALC, LinkType.CALL_WORK)
        links = self.node.base.links.get_outgoing(link_type=kinds, link_label_filter=label).all() if label else ()
        for link in links:
            child: Any = link.node
            # The filter of the database knows wildcards; a child without a checkpoint can never begin.
            if link.link_label == label and (child.is_terminated or child.checkpoint is not None):
                return child
        return None
