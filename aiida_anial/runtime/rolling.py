"""Wake a work chain when one child has ended.

:hook: ``WorkChain._action_awaitables``, ``WorkChain._on_awaitable_finished`` and ``WorkChain._awaitables``
:changes: A step that called ``wait`` is followed by the next one as soon as *any* of its children has ended.
:why: AiiDA waits for *all* children of a step. Cells take seconds or minutes each, so most slots would stand empty
    while the slowest child of each batch ends. One query for the children that have ended takes 28 ms for 100
    children alive, in place of 1.9 s to load them.
:upstream: aiida-core #5596 (control the number of jobs in a work chain), #3163
:until: AiiDA offers a way to wait for the first of several processes.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from aiida import orm
from aiida.engine import ProcessState, WorkChain
from aiida.engine.processes.workchains.awaitable import Awaitable, construct_awaitable

from aiida_anial.runtime.states import ENDED

__all__ = ('WakesOnAnyChild',)


class WakesOnAnyChild(WorkChain):
    """Keep children alive side by side, and take the next step when one of them has ended.

    The context holds keys and pks alone, and whether a child has ended is read from its node: a restarted daemon misses
    nothing.
    """

    # Not part of a checkpoint: after a restart every child is watched anew.
    _watched: frozenset[int] = frozenset()
    _ended_while_running: bool = False
    _known: Mapping[int, Awaitable] = MappingProxyType({})

    @property
    def alive(self) -> dict[str, int]:
        """Pk by key of the children that ``ended`` has not returned yet."""
        alive: dict[str, int] = self.ctx.setdefault('alive', {})
        return alive

    def start(self, key: str, node: Any) -> None:
        """Count the submitted child ``node`` as alive."""
        self.alive[key] = node.pk

    def ended(self) -> dict[str, Any]:
        """Return the children that have ended since the last call, by key."""
        self._ended_while_running = False
        # One query: to load all children that are alive, for each one that ends, would cost as much as the child.
        filters = {'id': {'in': list(self.alive.values())}, 'attributes.process_state': {'in': ENDED}}
        query = orm.QueryBuilder().append(orm.ProcessNode, filters=filters)
        nodes = {node.pk: node for node in query.all(flat=True)} if self.alive else {}
        done = {key: nodes[pk] for key, pk in self.alive.items() if pk in nodes}
        for key in done:
            del self.alive[key]
        return done

    def wait(self, others: Collection[int] = ()) -> None:
        """Take the next step when a child has ended, or one of the processes ``others``."""
        self.ctx.others = sorted(set(others) - set(self.alive.values()))
        pks = (*self.alive.values(), *self.ctx.others)
        self._known = {pk: self._known.get(pk) or construct_awaitable(_node(pk)) for pk in pks}
        self._awaitables = list(self._known.values())
        self._update_process_status()

    def _action_awaitables(self) -> None:
        """Watch the children that are not watched yet; leave those of ``ToContext`` to AiiDA."""
        if not self._waits_for_any:
            super()._action_awaitables()
            return
        for awaitable in self._awaitables:
            if awaitable.pk not in self._watched:
                self._watched |= {awaitable.pk}
                callback = functools.partial(self.call_soon, self._on_awaitable_finished, awaitable)
                self.runner.call_on_process_finish(awaitable.pk, callback)
        if self._ended_while_running:
            self.call_soon(self.resume)

    def _on_awaitable_finished(self, awaitable: Awaitable) -> None:
        """Wake up, whichever child it was."""
        if awaitable.pk not in self._watched:
            super()._on_awaitable_finished(awaitable)
            return
        self._watched -= {awaitable.pk}
        if self.state != ProcessState.WAITING:
            self._ended_while_running = True
        elif self._waits_for_any:
            self.resume()

    @property
    def _waits_for_any(self) -> bool:
        """Whether the step that ran last called ``wait``, and did not return ``ToContext``."""
        return bool(self.ctx.get('alive') or self.ctx.get('others'))


def _node(pk: int) -> Any:
    return orm.load_node(pk)
