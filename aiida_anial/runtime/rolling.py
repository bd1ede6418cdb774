"""A work chain that keeps a bounded number of children alive and refills a slot as soon as it is free."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from aiida import orm
from aiida.engine import ProcessState
from aiida.engine.processes.workchains.awaitable import Awaitable, construct_awaitable

from aiida_anial.data.nodes import ENDED
from aiida_anial.runtime.slots import granted
from aiida_anial.runtime.staged import StagedWorkChain

__all__ = ('RollingWorkChain',)


class RollingWorkChain(StagedWorkChain):
    """Wake up whenever *one* child has ended, where a plain work chain waits for all of them.

    An outline step inside ``while_`` calls ``ended`` for the children that have ended since, ``start`` for new ones,
    and ``wait`` last; ``fill`` does the latter two for calculations, within the limit of their computer. The context
    holds keys and pks alone, and whether a child has ended is read from its node: nothing that a restarted daemon could
    have missed.
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
        # One query: to load every child that is alive, for each that ends, would cost as much as the child.
        filters = {'id': {'in': list(self.alive.values())}, 'attributes.process_state': {'in': ENDED}}
        query = orm.QueryBuilder().append(orm.ProcessNode, filters=filters)
        nodes = {node.pk: node for node in query.all(flat=True)} if self.alive else {}
        done = {key: nodes[pk] for key, pk in self.alive.items() if pk in nodes}
        for key in done:
            del self.alive[key]
        return done

    def fill(self, most: int, computer: orm.Computer, launch: Callable[[str], None]) -> None:
        """Launch what ``ctx.waiting`` names as far as there is room, and let the next step come when there is more.

        :param most: children alive at once.
        :param launch: submits one of them, and calls ``start``.
        """
        wanted = min(len(self.ctx.waiting), most - len(self.alive))
        with granted(self.node, computer, wanted) as grant:
            for _ in range(grant.number):
                launch(self.ctx.waiting.pop(0))
        if grant.awaited:
            self.ctx.stage += f', waiting for room on {computer.label}'
        self.wait(grant.awaited)

    def wait(self, others: Collection[int] = ()) -> None:
        """Let the next step come when a child has ended, or one of the processes ``others``."""
        self.ctx.others = sorted(set(others) - set(self.alive.values()))
        pks = (*self.alive.values(), *self.ctx.others)
        self._known = {pk: self._known.get(pk) or construct_awaitable(_node(pk)) for pk in pks}
        self._awaitables = list(self._known.values())
        self._update_process_status()

    def _action_awaitables(self) -> None:
        """Watch the rolling children that are not watched yet; leave those of ``ToContext`` to AiiDA."""
        if not self._rolls:
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
        """Wake up, whichever rolling child it was."""
        if awaitable.pk not in self._watched:
            super()._on_awaitable_finished(awaitable)
            return
        self._watched -= {awaitable.pk}
        if self.state != ProcessState.WAITING:
            self._ended_while_running = True
        elif self._rolls:
            self.resume()

    @property
    def _rolls(self) -> bool:
        """Whether it waits for any of several, where a plain work chain waits for all."""
        return bool(self.alive or self.ctx.get('others'))


def _node(pk: int) -> Any:
    return orm.load_node(pk)
