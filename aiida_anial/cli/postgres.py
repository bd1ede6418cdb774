"""The PostgreSQL server of a production profile: connect to it, create the role and database, and read its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from aiida_anial.cli.credentials import PostgresServer
from aiida_anial.common.errors import AnialError

__all__ = ('ENCODING', 'OLDEST', 'DatabaseFacts', 'connect', 'database_facts', 'prepared')

OLDEST: Final = 12
ENCODING: Final = 'UTF8'

_TIMEOUT_S: Final = 15
# Every server has this database; the others are listed from it.
_MAINTENANCE: Final = 'postgres'

_Connection = psycopg.Connection[tuple[Any, ...]]

_ADMIN_HINT: Final = 'create it, or name a role that may create it with --postgres-admin-user'


@dataclass(frozen=True)
class DatabaseFacts:
    """Properties of a server and of one database on it.

    :param version: major and minor version in one number, such as 150004.
    :param n_tables: number of tables of any owner, outside the system schemas.
    :param may_create: whether the role may create tables.
    :param max_connections: connections that ordinary roles may open, over all databases.
    """

    version: int
    encoding: str
    n_tables: int
    may_create: bool
    max_connections: int

    @property
    def version_text(self) -> str:
        """The version in the form ``15.4``."""
        return f'{self.version // 10000}.{self.version % 10000}'


def connect(server: PostgresServer, *, database: str | None = None, admin: bool = False) -> _Connection:
    """Return a connection that commits every statement.

    :param database: name of the database; by default that of the profile.
    :param admin: log in as the administrator.
    :raises AnialError: if the server does not answer, or refuses the login.
    """
    user = server.admin_user if admin else server.user
    name = database or server.database
    try:
        return psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=name,
            user=user,
            password=server.admin_password if admin else server.password,
            connect_timeout=_TIMEOUT_S,
            autocommit=True,
        )
    except psycopg.Error as exception:
        raise AnialError(
            f'postgres: {user} cannot log in to the database {name} at {server.host}:{server.port}: '
            f'{_reason(exception)}.'
        ) from exception


def database_facts(connection: _Connection) -> DatabaseFacts:
    """Query a server for its properties and those of the connected database."""
    row = connection.execute(
        """
        SELECT current_setting('server_version_num')::int,
               current_setting('server_encoding'),
               (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema'
                  AND n.nspname !~ '^pg_'),
               coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
               current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        """
    ).fetchone()
    assert row is not None
    return DatabaseFacts(*row)


@contextmanager
def prepared(server: PostgresServer) -> Iterator[list[str]]:
    """Provide an empty database for a profile, and yield one line about each thing that was created.

    If the block fails, a role and database that were created here are dropped; an existing database is emptied.

    :raises AnialError: if the database is missing and may not be created, or cannot be used.
    """
    with ExitStack() as undo:
        lines = _make_missing(server, undo)
        with connect(server) as connection:
            _check(server, database_facts(connection))
        if not lines:
            undo.callback(_empty, server)
        yield lines
        undo.pop_all()


def _make_missing(server: PostgresServer, undo: ExitStack) -> list[str]:
    """Create the role and the database if they are missing, and return one line about each that was created.

    :raises AnialError: if the login may not create them.
    """
    if not server.admin_user:
        try:
            connect(server).close()
        except AnialError as refused:
            return [_make_own_database(server, undo, refused)]
        return []
    lines = []
    with connect(server, database=_MAINTENANCE, admin=True) as connection:
        if not _is_there(connection, 'SELECT 1 FROM pg_roles WHERE rolname = %s', server.user):
            _make_role(connection, server)
            undo.callback(_drop, server, True, sql.SQL('DROP ROLE {}').format(sql.Identifier(server.user)))
            lines.append(f'role {server.user}: created')
        if not _is_there(connection, 'SELECT 1 FROM pg_database WHERE datname = %s', server.database):
            lines.append(_make_database(connection, server, undo, admin=True))
    return lines


def _make_own_database(server: PostgresServer, undo: ExitStack, refused: AnialError) -> str:
    """Create the database as the role itself.

    :param refused: the error with which the role's login to the database failed.
    """
    try:
        connection = connect(server, database=_MAINTENANCE)
    except AnialError:
        raise refused from None
    with connection:
        if _is_there(connection, 'SELECT 1 FROM pg_database WHERE datname = %s', server.database):
            raise refused
        rights = 'SELECT 1 FROM pg_roles WHERE rolname = %s AND (rolcreatedb OR rolsuper)'
        if not _is_there(connection, rights, server.user):
            raise AnialError(
                f'postgres.database: there is no {server.database} at {server.host}:{server.port}, and {server.user} '
                f'may not create it; {_ADMIN_HINT}.'
            )
        return _make_database(connection, server, undo, admin=False)


def _is_there(connection: _Connection, question: str, name: str) -> bool:
    return connection.execute(question.encode(), (name,)).fetchone() is not None


def _make_role(connection: _Connection, server: PostgresServer) -> None:
    """Create the role; its password is sent as a hash, so that it appears in no log of statements."""
    scrambled = connection.pgconn.encrypt_password(server.password.encode(), server.user.encode(), b'scram-sha-256')
    statement = sql.SQL('CREATE ROLE {} LOGIN PASSWORD {}')
    role = sql.Identifier(server.user)
    _execute(connection, 'postgres.user', statement.format(role, sql.Literal(scrambled.decode())))
    # A role that is not a superuser can create a database for another role only if it is a member of that role.
    if not _is_there(connection, 'SELECT 1 FROM pg_roles WHERE rolname = %s AND rolsuper', server.admin_user):
        with suppress(psycopg.Error):
            connection.execute(sql.SQL('GRANT {} TO CURRENT_USER').format(role))


def _make_database(connection: _Connection, server: PostgresServer, undo: ExitStack, *, admin: bool) -> str:
    """Create the database from template0, so that its encoding does not depend on the locale of the machine."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    name = sql.Identifier(server.database)
    _execute(connection, 'postgres.database', statement.format(name, sql.Identifier(server.user)))
    force = ' WITH (FORCE)' if connection.info.server_version >= 130000 else ''
    undo.callback(_drop, server, admin, sql.SQL('DROP DATABASE {}' + force).format(name))
    return f'database {server.database}: created, {ENCODING}'


def _execute(connection: _Connection, key: str, statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except psycopg.Error as exception:
        raise AnialError(f'{key}: it cannot be created: {_reason(exception)}; {_ADMIN_HINT}.') from None


def _check(server: PostgresServer, facts: DatabaseFacts) -> None:
    """Refuse a database that a profile cannot use."""
    name = f'postgres.database: {server.database} at {server.host}:{server.port}'
    if facts.version < OLDEST * 10000:
        raise AnialError(f'{name} is on PostgreSQL {facts.version_text}; {OLDEST} or newer is needed.')
    if facts.encoding != ENCODING:
        raise AnialError(f'{name} has the encoding {facts.encoding}, but {ENCODING} is needed; name another database.')
    if facts.n_tables:
        raise AnialError(f'{name} contains {facts.n_tables} tables of another profile or program; name another one.')
    if not facts.may_create:
        raise AnialError(f'{name} does not let {server.user} create tables; make that role its owner.')


def _drop(server: PostgresServer, admin: bool, statement: sql.Composed) -> None:
    """Drop what was created; errors are ignored, because the failure that led here is the one to report."""
    with suppress(AnialError, psycopg.Error), connect(server, database=_MAINTENANCE, admin=admin) as connection:
        connection.execute(statement)


def _empty(server: PostgresServer) -> None:
    """Drop all tables of a database that was empty before."""
    with suppress(AnialError, psycopg.Error), connect(server) as connection:
        rows = connection.execute('SELECT tablename FROM pg_tables WHERE schemaname = current_schema()').fetchall()
        for (table,) in rows:
            connection.execute(sql.SQL('DROP TABLE {} CASCADE').format(sql.Identifier(table)))


def _reason(exception: psycopg.Error) -> str:
    """Return the server's message on one line and without the full stop."""
    text = ' '.join(str(exception).split()).removeprefix('connection failed: ')
    return text.rstrip('.') or type(exception).__name__
