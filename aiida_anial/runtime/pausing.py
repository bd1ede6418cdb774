"""Pause before a step that failed because of the machine.

:hook: ``WorkChain._do_step`` and ``WorkChain._context``; ``plumpy.process_states.PauseInterruption``
:changes: A step that raises because the machine failed (a full disk, a quota, too many open files) restores the
    context of before and pauses the work chain. ``verdi process play`` takes the step again.
:why: AiiDA lets the work chain except, and all that it has done would have to be continued by hand.
:upstream: aiida-core #5756 (catching submit timeouts inside a work chain); related: #727, #7069
:until: AiiDA pauses work chains on such errors, as its transport tasks do for jobs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aiida import orm
from aiida.common.extendeddicts import AttributeDict
from aiida.engine import WorkChain
from plumpy.process_states import PauseInterruption

__all__ = ('PausesOnMachineFailure', 'is_machine_failure', 'last_words')

# The last three are how SQLite and PostgreSQL say that the disk is full or fails.
_MACHINE_FAILURE = re.compile(
    r'No space left on device|Disk quota exceeded|Input/output error|Too many open files|Read-only file system|'
    r'database or disk is full|disk I/O error|could not extend file'
)


class PausesOnMachineFailure(WorkChain):
    """Pause before a step that the machine made fail, and take it again when the work chain is played."""

    def _do_step(self) -> Any:
        """Take a step, or pause before it."""
        context = _copied(self.ctx)
        try:
            return super()._do_step()
        except Exception as exception:
            causes = (f'{type(cause).__name__}: {cause}' for cause in _causes(exception))
            text = next((cause for cause in causes if is_machine_failure(cause)), None)
            if text is None:
                raise
            self._context = context
            text = last_words(text.partition(': ')[2])
            self.report(f'{text}; action taken: pause before this step')
            raise PauseInterruption(f'Pausing before a step that failed: {text}') from exception


def is_machine_failure(what: str | orm.ProcessNode) -> bool:
    """Return whether an exception, or the exception of a process, was caused by the machine."""
    text = what if isinstance(what, str) else what.exception
    return text is not None and _MACHINE_FAILURE.search(text) is not None


def last_words(trace: str | None) -> str:
    """Return the line of a traceback that names the failure of the machine, or else its last line."""
    lines = [' '.join(line.split()) for line in (trace or '').splitlines() if line.strip()]
    telling = [line for line in lines if is_machine_failure(line)]
    return (telling or lines or ['no reason is given'])[-1]


def _causes(exception: BaseException | None) -> Iterator[BaseException]:
    """Return an exception and the exceptions that led to it."""
    while exception is not None:
        yield exception
        exception = exception.__cause__ or exception.__context__


def _copied(value: Any) -> Any:
    """Return copies of nested containers that hold the same nodes and numbers."""
    if isinstance(value, AttributeDict):
        return type(value)({key: _copied(item) for key, item in value.items()})
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value
