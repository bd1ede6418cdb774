"""Servers and a profile of their own, started and stopped by the scripts and commands that users have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.services import Services, temporary_services
from support.shell import Shell

PROFILE = 'production'


@dataclass(frozen=True)
class Watch:
    """The command lines of all processes of the machine, from the start of the servers on."""

    seen: set[bytes] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Look until it is over, often enough for the shortest command."""
        while not self.over.wait(0.05):
            for path in Path('/proc').glob('[0-9]*/cmdline'):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue

    def saw(self, text: str) -> list[bytes]:
        """Return the command lines with this text."""
        return [line for line in self.seen if text.encode() in line]


@pytest.fixture(scope='session')
def watch() -> Iterator[Watch]:
    """Watch the command lines of the machine."""
    watch = Watch()
    thread = threading.Thread(target=watch.look, daemon=True)
    thread.start()
    yield watch
    watch.over.set()
    thread.join()


@pytest.fixture(scope='session')
def services(watch) -> Iterator[Services]:
    """PostgreSQL and RabbitMQ on ports of their own."""
    with temporary_services() as services:
        yield services


@pytest.fixture(scope='session')
def shell(services, tmp_path_factory) -> Shell:
    """The profile that ``aiida-anial setup`` makes on the servers."""
    shell = Shell(tmp_path_factory.mktemp('production'), PROFILE)
    credentials = services.folder / 'credentials.yaml'
    shell.run('aiida-anial', 'setup', '--profile', PROFILE, '--credentials', credentials)
    return shell


@pytest.fixture(scope='session')
def daemon(shell) -> Iterator[None]:
    """A daemon of one worker."""
    shell.run('verdi', '-p', PROFILE, 'daemon', 'start')
    yield
    shell.run('verdi', '-p', PROFILE, 'daemon', 'stop')


@pytest.fixture(scope='session')
def ask(services) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that lets the administrator of the PostgreSQL server do something."""
    import psycopg

    server = services.credentials['postgres']

    def ask(statement: str, database: str = 'postgres') -> list[tuple[Any, ...]]:
        login = {'user': server['admin_user'], 'password': server['admin_password'], 'dbname': database}
        with psycopg.connect(host=server['host'], port=server['port'], autocommit=True, **login) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture(scope='session')
def ended(ask) -> Callable[[int], None]:
    """Return a function that waits until a process has finished well."""

    def ended(pk: int) -> None:
        question = f"SELECT attributes ->> 'process_state', attributes ->> 'exit_status' FROM db_dbnode WHERE id = {pk}"
        end = time.monotonic() + 120
        while (found := ask(question, 'anial')) != [('finished', '0')]:
            assert time.monotonic() < end, found
            time.sleep(0.2)

    return ended


@pytest.fixture(scope='session')
def make_label(shell, ended) -> Callable[[], None]:
    """Return a function that lets the daemon make a label."""
    return lambda: ended(int(shell.verdi('run', Path(__file__).with_name('submit_label.py')).split()[-1]))


@pytest.fixture
def there(ask) -> Callable[[], set[str]]:
    """Return a function that names the roles and databases of the PostgreSQL server."""
    return lambda: {name for (name,) in ask('SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles')}
