"""Private servers and a profile, set up, started and stopped with the scripts and commands that users have."""

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
    """All command lines on the machine since the start of the servers, none of which may contain a secret."""

    seen: set[bytes] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Collect command lines until ``over`` is set, often enough to catch the shortest command."""
        while not self.over.wait(0.05):
            for path in Path('/proc').glob('[0-9]*/cmdline'):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue

    def saw(self, text: str) -> list[bytes]:
        """Return the collected command lines that contain the text."""
        # A copy, because the watching thread adds lines meanwhile.
        return [line for line in self.seen.copy() if text.encode() in line]


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
    """A private PostgreSQL and RabbitMQ."""
    with temporary_services() as services:
        yield services


@pytest.fixture(scope='session')
def shell(services, tmp_path_factory) -> Shell:
    """The profile that ``aiida-anial setup`` creates on the servers."""
    shell = Shell(tmp_path_factory.mktemp('production'), PROFILE)
    credentials = services.folder / 'credentials.yaml'
    shell.run('aiida-anial', 'setup', '--profile', PROFILE, '--credentials', credentials)
    return shell


@pytest.fixture(scope='session')
def daemon(shell) -> Iterator[None]:
    """A daemon with one worker."""
    shell.run('verdi', '-p', PROFILE, 'daemon', 'start')
    yield
    shell.run('verdi', '-p', PROFILE, 'daemon', 'stop')


@pytest.fixture(scope='session')
def ask(services) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that executes a statement as the administrator of the PostgreSQL server."""
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
    """Return a function that waits until a process has finished with exit status 0."""

    def ended(pk: int) -> None:
        question = f"SELECT attributes ->> 'process_state', attributes ->> 'exit_status' FROM db_dbnode WHERE id = {pk}"
        end = time.monotonic() + 120
        while (found := ask(question, 'anial')) != [('finished', '0')]:
            assert time.monotonic() < end, found
            time.sleep(0.2)

    return ended


@pytest.fixture(scope='session')
def make_label(shell, ended) -> Callable[[], None]:
    """Return a function that submits a label to the daemon and waits for it."""
    return lambda: ended(int(shell.verdi('run', Path(__file__).with_name('submit_label.py')).split()[-1]))


@pytest.fixture
def there(ask) -> Callable[[], set[str]]:
    """Return a function that returns the names of the roles and databases of the PostgreSQL server."""
    return lambda: {name for (name,) in ask('SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles')}
