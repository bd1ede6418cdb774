"""AiiDA's storage on PostgreSQL, whose daemon workers end, and whose commands say so, when the server goes away."""

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
# No connection, a transaction that had to make way for another one, an operator who intervened; a full disk is none.
_PASSING: Final = ('08', '40', '57')


class RecoveringPsqlDosBackend(PsqlDosBackend):
    """The storage ``core.psql_dos``, with the same database and files."""

    def __init__(self, profile: Profile) -> None:
        if is_worker():
            wait_for(_NAME, lambda: _refusal(profile.storage_config))
        super().__init__(profile)

    def _initialise_session(self) -> None:
        super()._initialise_session()
        factory = self._resources.session_factory
        assert factory is not None
        # AiiDA asks the database for each value that may have changed at the moment it is read. To forget at each
        # commit what it has of every node, their ids included, only makes it ask twice: a fifth of a worker's time.
        factory.configure(expire_on_commit=False)
        event.listen(self.get_session().get_bind(), 'handle_error', _end_if_gone if is_worker() else _tell_if_gone)


def _end_if_gone(context: ExceptionContext) -> None:
    """End the worker at a failure that is the server's and that passes, before anybody sees it."""
    exception = context.original_exception
    passes = isinstance(exception, psycopg.OperationalError) and (exception.sqlstate or '08').startswith(_PASSING)
    if context.is_disconnect or passes:
        end_worker(_NAME, exception)


def _tell_if_gone(context: ExceptionContext) -> None:
    """Let a command say in one sentence what happened.

    :raises AnialError: if the connection broke.
    """
    if context.is_disconnect:
        reason = ' '.join(str(context.original_exception).split()).rstrip('.')
        raise AnialError(f'{_NAME} went away: {reason}; run this again when it is back.')


def _refusal(config: dict[str, Any]) -> str:
    """Return why the server does not let in, nothing if it does."""
    names = {'host': 'hostname', 'port': 'port', 'dbname': 'name', 'user': 'username', 'password': 'password'}
    login: dict[str, Any] = {theirs: config.get(f'database_{ours}') for theirs, ours in names.items()}
    try:
        psycopg.connect(**login, connect_timeout=_TIMEOUT_S).close()
    except psycopg.Error as exception:
        return str(exception) or type(exception).__name__
    return ''
