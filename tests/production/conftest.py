"""Servers and a profile of their own, started and stopped by the scripts and commands that users have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
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


@dataclass(frozen=True)
class Services:
    """The servers of a folder."""

    folder: Path

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the script of the services."""
        command = [sys.executable, ROOT / 'services' / 'services.py', *arguments, '--folder', self.folder]
        result = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert result.returncode == 0 or not check, result.stderr
        return result

    def pid(self, name: str) -> int:
        """Return the id of a server's process."""
        return int(json.loads((self.folder / f'{name}.pid').read_text())['pid'])

    def kill(self, name: str) -> None:
        """End a server at once, and wait until it is gone or only waits to be collected."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        status = Path(f'/proc/{pid}/stat')
        while status.exists() and ') Z' not in status.read_text():
            time.sleep(0.02)

    def control(self, *arguments: str) -> str:
        """Ask or change the RabbitMQ server."""
        command = [self.folder / 'rabbitmqctl', '--quiet', *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    @property
    def credentials(self) -> dict[str, dict[str, Any]]:
        """What a profile has to know."""
        return yaml.safe_load((self.folder / 'credentials.yaml').read_text())

    @property
    def secrets(self) -> list[str]:
        """Every password, and Erlang's cookie."""
        return list(json.loads((self.folder / 'services.json').read_text())['passwords'].values())


@pytest.fixture(scope='session')
def services(watch) -> Iterator[Services]:
    """PostgreSQL and RabbitMQ on ports of their own; not under pytest's folder, which is closed to their accounts."""
    folder = Path(tempfile.mkdtemp(prefix='anial-services-'))
    folder.chmod(0o755)
    services = Services(folder / 'services')
    try:
        services.run('start')
        yield services
    finally:
        services.run('stop')
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Shell:
    """Runs commands of the environment with ``AIIDA_PATH`` at ``home``, and keeps what they print."""

    home: Path
    printed: list[str] = field(default_factory=list)

    def run(
        self, program: str, *arguments: Any, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command.

        :param variables: of its environment, beside those of the tests.
        """
        result = subprocess.run(
            [str(BIN / program), *map(str, arguments)],
            cwd=self.home,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith('ANIAL_')},
                'AIIDA_PATH': str(self.home),
                'PATH': f'{BIN}{os.pathsep}{os.environ["PATH"]}',
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.printed.append(result.stdout + result.stderr)
        assert result.returncode == 0 or not check, f'{program} {arguments}: {self.printed[-1]}'
        return result

    @property
    def config(self) -> dict[str, Any]:
        """AiiDA's configuration."""
        return json.loads((self.home / '.aiida' / 'config.json').read_text())


@pytest.fixture(scope='session')
def shell(services, tmp_path_factory) -> Shell:
    """The profile that ``aiida-anial setup`` makes on the servers."""
    shell = Shell(tmp_path_factory.mktemp('production'))
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


@pytest.fixture
def there(ask) -> Callable[[], set[str]]:
    """Return a function that names the roles and databases of the PostgreSQL server."""
    return lambda: {name for (name,) in ask('SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles')}
