"""States of processes, as the database holds them."""

from __future__ import annotations

from typing import Final

from aiida.engine import ProcessState

__all__ = ('ACTIVE', 'ENDED')

ACTIVE: Final = [state.value for state in (ProcessState.CREATED, ProcessState.RUNNING, ProcessState.WAITING)]
ENDED: Final = [state.value for state in (ProcessState.FINISHED, ProcessState.EXCEPTED, ProcessState.KILLED)]
