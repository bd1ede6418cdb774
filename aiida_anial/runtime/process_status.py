"""Show the stage of a work chain in ``verdi process list``.

:hook: ``WorkChain._update_process_status`` and ``WorkChain._awaitables``
:changes: The process status is ``ctx.stage`` and the pks of the children, in place of *Waiting for child processes*.
:why: With dozens of children the pks alone do not say what a campaign is doing.
:upstream: none found; related: aiida-core #4847 (verdi process list/status: be more verbose)
:until: AiiDA lets a work chain word its status.
"""

from __future__ import annotations

from aiida.engine import WorkChain

__all__ = ('ShowsStage',)


class ShowsStage(WorkChain):
    """Put ``ctx.stage`` before the pks of the children in the process status."""

    def _update_process_status(self) -> None:
        if self._awaitables and not self.paused:
            pks = ', '.join(str(awaitable.pk) for awaitable in self._awaitables)
            self.set_status(f'{self.ctx.get("stage", "waiting")} ({pks})')
        else:
            super()._update_process_status()
