"""End a daemon worker whose PostgreSQL server goes away, and let the next one wait for it.

:hook: ``PsqlDosBackend._initialise_session``
:changes: A daemon worker waits for the server before it opens the storage, and ends at the first error that the
    server caused. A command says in one sentence what happened.
:why: AiiDA's session keeps its connection. After a restart of the server the first query fails, the task is
    acknowledged, and the process waits for ever without a worker.
:upstream: aiida-core #3867 (connections to PostgreSQL over a restart of the server)
:until: AiiDA requeues the task of a worker that lost its database.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from aiida.manage.configuration import Profile
from aiida.storage.psql_dos.backend import PsqlDosBackend
from sqlalchemy import ExceptionContext, event

from aiida_anial.common.errors import AnialError
from aiida_anial.runtime.daemon_worker import end_worker, is_worker, wait_for

__all__ = ('RecoveringPsqlDosBackend',)

_NAME: Final = 'PostgreSQL'
_TIMEOUT_S: Final = 15
# Classes of SQLSTATE: no connection, a transaction rolled back, an operator who intervened; a full disk is in another.
_PASSING: Final = ('08', '40', '57')


class RecoveringPsqlDosBackend(PsqlDosBackend):
    """``core.psql_dos``, with the same database and files, for daemon workers that wait for their server."""

    def __init__(self, profile: Profile) -> None:
        if is_worker():
            wait_for(_NAME, lambda: _refusal(profile.storage_config))
        super().__init__(profile)

    def _initialise_session(self) -> None:
        super()._initialise_session()
        event.listen(self.get_session().get_bind(), 'handle_error', _end_if_gone if is_worker() else _tell_if_gone)


def _end_if_gone(context: ExceptionContext) -> None:
    """End the worker when the server fails for a while, before the engine sees the error."""
    exception = context.original_exception
    passes = isinstance(exception, psycopg.OperationalError) and (exception.sqlstate or '08').startswith(_PASSING)
    if context.is_disconnect or passes:
        end_worker(_NAME, exception)


def _tell_if_gone(context: ExceptionContext) -> None:
    """Say in one sentence that the connection broke.

    :raises AnialError: if the connection broke.
    """
    if context.is_disconnect:
        reason = ' '.join(str(context.original_exception).split()).rstrip('.')
        raise AnialError(f'{_NAME} went away: {reason}; run this again when it is back.')


def _refusal(config: dict[str, Any]) -> str:
    """Return why the server refuses a connection; empty if it accepts one."""
    names = {'host': 'hostname', 'port': 'port', 'dbname': 'name', 'user': 'username', 'password': 'password'}
    login: dict[str, Any] = {theirs: config.get(f'database_{ours}') for theirs, ours in names.items()}
    try:
        psycopg.connect(**login, connect_timeout=_TIMEOUT_S).close()
    except psycopg.Error as exception:
        return str(exception) or type(exception).__name__
    return ''
