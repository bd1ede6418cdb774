"""A work chain whose status in ``verdi process list`` says what it waits for."""

from __future__ import annotations

from aiida.engine import WorkChain

__all__ = ('StagedWorkChain',)


class StagedWorkChain(WorkChain):
    """Put ``ctx.stage``, in plain words, before the pks of the children in the process status."""

    def _update_process_status(self) -> None:
        if self._awaitables and not self.paused:
            pks = ', '.join(str(awaitable.pk) for awaitable in self._awaitables)
            self.set_status(f'{self.ctx.get("stage", "waiting")} ({pks})')
        else:
            super()._update_process_status()
