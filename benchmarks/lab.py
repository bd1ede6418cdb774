"""Servers, AiiDA profiles and daemons of their own, in a folder that goes with them at the end."""

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
# As often as the scheduler is asked.
POLL_S: Final = 1.0
_LIMIT_S: Final = 7200.0
_ENDED: Final = ('finished', 'excepted', 'killed')


@dataclass(frozen=True)
class Lab:
    """A PostgreSQL and a RabbitMQ that run, and the profiles that were made.

    :param folder: of everything.
    """

    folder: Path

    def run(self, *command: str) -> str:
        """Run a program of the environment and return what it prints.

        :raises RuntimeError: if it fails.
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
        """Make a profile on SQLite, as users do."""
        self.run('aiida-anial', 'setup', '--profile', name)

    def production_profile(self, name: str) -> None:
        """Make a profile on the servers, as users do, with a database of the same name."""
        credentials = self._credentials()
        credentials['postgres']['database'] = name
        file = self.folder / f'{name}.yaml'
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(credentials))
        self.run('aiida-anial', 'setup', '--profile', name, '--credentials', str(file))

    def task(self, profile: str, module: str, function: str, **arguments: Any) -> dict[str, Any]:
        """Run a function of this folder in a process of its own, with the profile loaded."""
        found: dict[str, Any] = child.parsed(self.run(*child.command(module, function, arguments, profile)))
        return found

    def connect(self, database: str = 'postgres') -> Any:
        """Return a connection of the administrator that commits every statement."""
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
        """Run a daemon and give the process ids of its workers."""
        verdi = ('verdi', '-p', profile, 'daemon')
        try:
            self.run(*verdi, 'start', str(n_workers))
            yield self._workers(verdi, n_workers)
        finally:
            self.run(*verdi, 'stop')

    def _workers(self, verdi: Sequence[str], number: int) -> list[int]:
        """Return the workers once all of them are there."""
        end = time.monotonic() + _START_S
        while True:
            found = [int(pid) for pid in re.findall(r'^\s*(\d+)\s+[\d.]+', self.run(*verdi, 'status'), re.MULTILINE)]
            if len(found) == number:
                return found
            if time.monotonic() > end:
                raise RuntimeError(f'The daemon has {len(found)} workers and not {number}.')
            time.sleep(0.5)

    def _credentials(self) -> dict[str, dict[str, Any]]:
        """Return what ``services.py`` wrote for a profile."""
        found: dict[str, dict[str, Any]] = yaml.safe_load((self.folder / 'services' / 'credentials.yaml').read_text())
        return found


@contextmanager
def lab() -> Iterator[Lab]:
    """Start the servers, and leave nothing behind at the end."""
    folder = Path(tempfile.mkdtemp(prefix='anial-bench-'))
    # Root's servers run under accounts of their own, which must get through; what is inside is closed.
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
    """Return how many of these processes have not ended, in the loaded profile."""
    from aiida import orm

    filters = {'id': {'in': list(pks)}, 'attributes.process_state': {'!in': _ENDED}}
    return int(orm.QueryBuilder().append(orm.ProcessNode, filters=filters).count()) if pks else 0


def wait(*pks: int) -> None:
    """Wait until these processes have ended.

    :raises RuntimeError: if that takes for ever.
    """
    end = time.monotonic() + _LIMIT_S
    while alive(pks):
        if time.monotonic() > end:
            raise RuntimeError(f'Not done after {_LIMIT_S:.0f} s.')
        time.sleep(POLL_S)
