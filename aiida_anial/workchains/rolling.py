"""A work chain that keeps a bounded number of children alive and refills a slot as soon as it is free."""

from __future__ import annotations

import functools

from aiida import orm
from aiida.engine import ProcessState, WorkChain
from aiida.engine.processes.workchains.awaitable import Awaitable, construct_awaitable

__all__ = ('RollingWorkChain',)


class RollingWorkChain(WorkChain):
    """Wake up whenever *one* child has ended, where a plain work chain waits for all of them.

    An outline step inside ``while_`` calls ``ended`` for the children that have ended since, ``start`` for new ones,
    and ``wait`` last. The context holds keys and pks alone, and whether a child has ended is read from its node:
    nothing that a restarted daemon could have missed.
    """

    # Not part of a checkpoint: after a restart every child is watched anew.
    _watched: frozenset[int] = frozenset()
    _ended_while_running: bool = False

    @property
    def alive(self) -> dict[str, int]:
        """Pk by key of the children that ``ended`` has not returned yet."""
        alive: dict[str, int] = self.ctx.setdefault('alive', {})
        return alive

    def start(self, key: str, node: orm.ProcessNode) -> None:
        """Count the submitted child ``node`` as alive."""
        self.alive[key] = node.pk

    def ended(self) -> dict[str, orm.ProcessNode]:
        """Return the children that have ended since the last call, by key."""
        self._ended_while_running = False
        nodes = {key: orm.load_node(pk) for key, pk in self.alive.items()}
        done = {key: node for key, node in nodes.items() if node.is_terminated}
        for key in done:
            del self.alive[key]
        return done

    def wait(self) -> None:
        """Let the next step come when a child has ended."""
        self._awaitables = [construct_awaitable(orm.load_node(pk)) for pk in self.alive.values()]
        self._update_process_status()

    def _action_awaitables(self) -> None:
        """Watch the children that are not watched yet."""
        for awaitable in self._awaitables:
            if awaitable.pk not in self._watched:
                self._watched |= {awaitable.pk}
                callback = functools.partial(self.call_soon, self._on_awaitable_finished, awaitable)
                self.runner.call_on_process_finish(awaitable.pk, callback)
        if self._ended_while_running:
            self.call_soon(self.resume)

    def _on_awaitable_finished(self, awaitable: Awaitable) -> None:
        """Wake up, whichever child it was."""
        self._watched -= {awaitable.pk}
        if self.state == ProcessState.WAITING:
            self.resume()
        else:
            self._ended_while_running = True
