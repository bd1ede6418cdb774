"""Private servers, AiiDA profiles and daemons in a temporary folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import child
import yaml

_SERVICES: Final = Path(__file__).parents[1] / 'services' / 'services.py'
_BIN: Final = Path(sys.executable).parent
_START_S: Final = 60.0
# The poll interval of the scheduler.
POLL_S: Final = 1.0
_LIMIT_S: Final = 7200.0
_ENDED: Final = ('finished', 'excepted', 'killed')


@dataclass(frozen=True)
class Lab:
    """Running PostgreSQL and RabbitMQ servers, and AiiDA profiles.

    :param folder: folder of all files.
    """

    folder: Path

    def run(self, *command: str) -> str:
        """Run a program of the Python environment and return its standard output.

        :raises RuntimeError: if the program fails.
        """
        done = subprocess.run(
            [str(_BIN / command[0]), *command[1:]],
            cwd=self.folder,
            env={
                **os.environ,
                'AIIDA_PATH': str(self.folder),
                'PATH': f'{_BIN}{os.pathsep}{os.environ["PATH"]}',
                'OMP_NUM_THREADS': '1',
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f'{" ".join(command[:4])} ended with status {done.returncode}: {done.stderr[-2000:]}')
        return done.stdout

    def embedded_profile(self, name: str) -> None:
        """Create a profile on SQLite, as users do."""
        self.run('aiida-anial', 'setup', '--profile', name)

    def production_profile(self, name: str) -> None:
        """Create a profile on the servers, as users do, with a database of the same name."""
        credentials = self._credentials()
        credentials['postgres']['database'] = name
        file = self.folder / f'{name}.yaml'
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(credentials))
        self.run('aiida-anial', 'setup', '--profile', name, '--credentials', str(file))

    def task(self, profile: str, module: str, function: str, **arguments: Any) -> dict[str, Any]:
        """Run a function of this folder in a new process with the profile loaded, and return its result."""
        found: dict[str, Any] = child.parsed(self.run(*child.command(module, function, arguments, profile)))
        return found

    def connect(self, database: str = 'postgres') -> Any:
        """Return a connection of the administrator in autocommit mode."""
        import psycopg

        server = self._credentials()['postgres']
        return psycopg.connect(
            host=server['host'],
            port=server['port'],
            user=server['admin_user'],
            password=server['admin_password'],
            dbname=database,
            autocommit=True,
        )

    @contextmanager
    def daemon(self, profile: str, n_workers: int) -> Iterator[list[int]]:
        """Run a daemon and yield the process ids of its workers."""
        verdi = ('verdi', '-p', profile, 'daemon')
        try:
            self.run(*verdi, 'start', str(n_workers))
            yield self._workers(verdi, n_workers)
        finally:
            self.run(*verdi, 'stop')

    def _workers(self, verdi: Sequence[str], number: int) -> list[int]:
        """Return the process ids of the workers once all of them have started."""
        end = time.monotonic() + _START_S
        while True:
            found = [int(pid) for pid in re.findall(r'^\s*(\d+)\s+[\d.]+', self.run(*verdi, 'status'), re.MULTILINE)]
            if len(found) == number:
                return found
            if time.monotonic() > end:
                raise RuntimeError(f'The daemon has {len(found)} workers instead of {number}.')
            time.sleep(0.5)

    def _credentials(self) -> dict[str, dict[str, Any]]:
        """Return the credentials for a profile, as written by ``services.py``."""
        found: dict[str, dict[str, Any]] = yaml.safe_load((self.folder / 'services' / 'credentials.yaml').read_text())
        return found


@contextmanager
def lab() -> Iterator[Lab]:
    """Start the servers; at the end, stop them and delete the folder."""
    folder = Path(tempfile.mkdtemp(prefix='anial-bench-'))
    # Servers started by root run under accounts of their own, which must be able to enter this folder. The folders
    # inside are private.
    folder.chmod(0o711)
    made = Lab(folder)
    services = ('python', str(_SERVICES))
    try:
        made.run(*services, 'start', '--folder', str(folder / 'services'))
        yield made
    finally:
        made.run(*services, 'stop', '--folder', str(folder / 'services'))
        shutil.rmtree(folder)


def alive(pks: Sequence[int]) -> int:
    """Return how many of these processes in the loaded profile have not ended."""
    from aiida import orm

    filters = {'id': {'in': list(pks)}, 'attributes.process_state': {'!in': _ENDED}}
    return int(orm.QueryBuilder().append(orm.ProcessNode, filters=filters).count()) if pks else 0


def wait(*pks: int) -> None:
    """Wait until these processes have ended.

    :raises RuntimeError: if they have not ended after two hours.
    """
    end = time.monotonic() + _LIMIT_S
    while alive(pks):
        if time.monotonic() > end:
            raise RuntimeError(f'The processes have not ended after {_LIMIT_S:.0f} s.')
        time.sleep(POLL_S)
