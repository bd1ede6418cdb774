"""What a daemon worker does when a server goes away: it ends at once, and the next one waits for the server.

The engine is not made to lose a server. A step that cannot reach the database makes its work chain fail, or is given
up for good while the node still says *waiting*; and RabbitMQ, back again, hands out a second time what a worker whose
connection broke is still working on. A worker that ends before any of this leaves everything as it was stored:
RabbitMQ keeps what was not acknowledged, the daemon starts another worker, and that one goes on from the checkpoints.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, NoReturn

import click
from aiida.common.log import AIIDA_LOGGER

__all__ = ('end_worker', 'is_worker', 'wait_for')

_LOGGER = AIIDA_LOGGER.getChild('anial')

_COMMAND: Final = ['daemon', 'worker']
_INTERVAL_S: Final = 2.0
_LOG_INTERVAL_S: Final = 60.0


def is_worker() -> bool:
    """Return whether this process is a worker of a daemon, and not a command that somebody waits for."""
    context = click.get_current_context(silent=True)
    return context is not None and context.command_path.split()[-2:] == _COMMAND


def end_worker(server: str, reason: object) -> NoReturn:
    """End this process as a SIGKILL would: nothing more is stored, acknowledged or reported.

    :param server: that failed it.
    """
    _LOGGER.error('%s has failed this worker, which ends; the daemon starts another: %s', server, _one_line(reason))
    os._exit(os.EX_TEMPFAIL)


def wait_for(server: str, refusal: Callable[[], str]) -> None:
    """Return when the server lets in.

    :param refusal: returns why it does not, nothing if it does.
    """
    told = float('-inf')
    while reason := refusal():
        if time.monotonic() - told > _LOG_INTERVAL_S:
            told = time.monotonic()
            _LOGGER.warning('waiting for %s: %s', server, _one_line(reason))
        time.sleep(_INTERVAL_S)


def _one_line(reason: object) -> str:
    return ' '.join(str(reason).split()) or type(reason).__name__
