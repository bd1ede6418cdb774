"""A PostgreSQL server of its own in a temporary folder, for measuring and for tests of a production profile.

It listens on a free port of this machine only, asks for a password that nobody knows before, and ends with its folder.
Run as root, it runs as the user ``postgres``, since PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ('Server', 'find_program', 'server')

_USER: Final = 'anial'
_SYSTEM_USER: Final = 'postgres'
_DEBIAN: Final = Path('/usr/lib/postgresql')
_LIMIT_S: Final = 30.0
# Without it a bulk load waits for a checkpoint every gigabyte.
_OPTIONS: Final = {'max_wal_size': '4GB', 'listen_addresses': '127.0.0.1'}


@dataclass(frozen=True)
class Server:
    """A running server.

    :param port: on 127.0.0.1.
    :param user: may do everything.
    :param password: of the user.
    :param folder: of the cluster.
    """

    port: int
    user: str
    password: str
    folder: Path

    def connect(self, database: str = 'postgres') -> Any:
        """Return a connection that commits every statement."""
        import psycopg

        return psycopg.connect(
            host='127.0.0.1',
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def create_database(self, name: str) -> None:
        """Make an empty database in UTF-8, whatever the locale of the machine."""
        from psycopg import sql

        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
            )

    def database_size(self, name: str) -> int:
        """Return the size of a database on the disk, in bytes."""
        with self.connect() as connection:
            return int(connection.execute('SELECT pg_database_size(%s)', (name,)).fetchone()[0])

    def storage(self, name: str, repository: Path) -> tuple[str, dict[str, Any]]:
        """Return AiiDA's storage backend for a database, and its configuration.

        :param repository: folder of the files.
        """
        return 'core.psql_dos', {
            'database_engine': 'postgresql_psycopg',
            'database_hostname': '127.0.0.1',
            'database_port': self.port,
            'database_username': self.user,
            'database_password': self.password,
            'database_name': name,
            'repository_uri': repository.absolute().as_uri(),
        }


def find_program(name: str) -> Path | None:
    """Return a program of the newest PostgreSQL; Debian keeps most of them off the PATH."""
    installed = sorted(_DEBIAN.glob(f'*/bin/{name}'), key=lambda path: float(path.parts[-3]))
    found = installed[-1] if installed else shutil.which(name)
    return Path(found) if found else None


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, and stop it and remove its folder at the end.

    :raises RuntimeError: if PostgreSQL is not installed or does not start.
    """
    initdb, postgres = find_program('initdb'), find_program('postgres')
    if initdb is None or postgres is None:
        raise RuntimeError('PostgreSQL is not installed; run: scripts/install-postgres.sh')
    folder = Path(tempfile.mkdtemp(prefix='anial-postgres-'))
    running = None
    try:
        owner = _owner(folder)
        found = Server(_free_port(), _USER, secrets.token_hex(16), folder / 'data')
        _initialise(initdb, found, owner)
        running = _start(postgres, found, owner)
        _wait(found, running)
        yield found
    finally:
        if running is not None:
            # A fast shutdown: open connections are closed.
            running.send_signal(signal.SIGINT)
            running.wait()
        shutil.rmtree(folder)


def _owner(folder: Path) -> dict[str, Any]:
    """Return as whom to run, and let that user have the folder."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(_SYSTEM_USER)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {'user': entry.pw_uid, 'group': entry.pw_gid, 'extra_groups': []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def _initialise(initdb: Path, made: Server, owner: dict[str, Any]) -> None:
    """Make the cluster."""
    secret = made.folder.parent / 'password'
    secret.touch(mode=0o600)
    if owner:
        os.chown(secret, owner['user'], owner['group'])
    secret.write_text(made.password)
    command = [str(initdb), '-D', str(made.folder), '-U', made.user, '-A', 'scram-sha-256', '--pwfile', str(secret)]
    command += ['-E', 'UTF8', '--locale', 'C']
    done = subprocess.run(command, cwd='/', capture_output=True, text=True, check=False, **owner)
    secret.unlink()
    if done.returncode:
        raise RuntimeError(f'initdb failed: {done.stderr.strip()}')


def _start(postgres: Path, made: Server, owner: dict[str, Any]) -> subprocess.Popen[bytes]:
    options = {**_OPTIONS, 'port': str(made.port), 'unix_socket_directories': ''}
    command = [str(postgres), '-D', str(made.folder)]
    for name, value in options.items():
        command += ['-c', f'{name}={value}']
    with (made.folder.parent / 'log').open('wb') as log:
        return subprocess.Popen(command, cwd='/', stdout=log, stderr=log, **owner)


def _wait(made: Server, running: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    import psycopg

    end = time.monotonic() + _LIMIT_S
    while True:
        try:
            made.connect().close()
        except psycopg.OperationalError as exception:
            if running.poll() is not None or time.monotonic() > end:
                text = (made.folder.parent / 'log').read_text().strip()
                raise RuntimeError(f'PostgreSQL did not start: {text or exception}') from exception
            time.sleep(0.1)
        else:
            return
