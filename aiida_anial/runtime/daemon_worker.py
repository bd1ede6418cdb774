"""End a daemon worker at once when a server goes away, and let the next one wait for the server.

:hook: the command line ``verdi ... daemon worker``, read from click's context; the daemon that starts workers again
:changes: Nothing in AiiDA.
:why: AiiDA's engine is not made to lose a server. A step that cannot reach the database makes its work chain fail, or
    is dropped while the node still says *waiting*. A worker that ends before any of this leaves everything as it was
    stored: RabbitMQ keeps what was not acknowledged, and the next worker continues from the checkpoints.
:upstream: as for ``storage`` and ``rabbitmq_broker``
:until: AiiDA's daemon workers survive a restart of their servers.
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
    """Return whether this process is a daemon worker."""
    context = click.get_current_context(silent=True)
    return context is not None and context.command_path.split()[-2:] == _COMMAND


def end_worker(server: str, reason: object) -> NoReturn:
    """End this process at once, as SIGKILL would: nothing more is stored, acknowledged or reported.

    :param server: name of the server that failed.
    """
    _LOGGER.error('%s failed; this daemon worker ends and the daemon starts another: %s', server, _one_line(reason))
    os._exit(os.EX_TEMPFAIL)


def wait_for(server: str, refusal: Callable[[], str]) -> None:
    """Return when the server accepts connections.

    :param refusal: returns why it does not; empty if it does.
    """
    told = float('-inf')
    while reason := refusal():
        if time.monotonic() - told > _LOG_INTERVAL_S:
            told = time.monotonic()
            _LOGGER.warning('waiting for %s: %s', server, _one_line(reason))
        time.sleep(_INTERVAL_S)


def _one_line(reason: object) -> str:
    return ' '.join(str(reason).split()) or type(reason).__name__
