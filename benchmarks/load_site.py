"""A production profile of its own for the load run: servers and daemon in a folder that goes with them."""

from __future__ import annotations

import json
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

import yaml

__all__ = ('PROFILE', 'Site', 'site')

HERE: Final = Path(__file__).parent
PROFILE: Final = 'production'
_SERVICES: Final = HERE.parent / 'services' / 'services.py'
_BIN: Final = Path(sys.executable).parent
_LIMIT_S: Final = 60.0


@dataclass(frozen=True)
class Site:
    """Servers that run, and a profile on them.

    :param folder: of everything.
    """

    folder: Path

    @property
    def credentials(self) -> Path:
        """What ``services.py`` wrote for a profile."""
        return self.folder / 'services' / 'credentials.yaml'

    def run(self, *command: str) -> str:
        """Run a program of the environment and return what it prints.

        :raises RuntimeError: if it fails.
        """
        variables = {
            **os.environ,
            'AIIDA_PATH': str(self.folder),
            'PATH': f'{_BIN}{os.pathsep}{os.environ["PATH"]}',
            'OMP_NUM_THREADS': '1',
        }
        done = subprocess.run(
            [str(_BIN / command[0]), *command[1:]],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f'{" ".join(command[:3])} ended with status {done.returncode}: {done.stderr[-2000:]}')
        return done.stdout

    def task(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Do a task of ``load_tasks.py`` in a process of its own."""
        printed = self.run('python', str(HERE / 'load_tasks.py'), PROFILE, name, json.dumps(arguments))
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return found

    def connect(self) -> Any:
        """Return the administrator's connection to the database of the profile."""
        import psycopg

        server = yaml.safe_load(self.credentials.read_text())['postgres']
        return psycopg.connect(
            host=server['host'],
            port=server['port'],
            user=server['admin_user'],
            password=server['admin_password'],
            dbname=server['database'],
            autocommit=True,
        )

    @contextmanager
    def daemon(self, n_workers: int) -> Iterator[list[int]]:
        """Run a daemon and give the process ids of its workers."""
        verdi = ('verdi', '-p', PROFILE, 'daemon')
        try:
            self.run(*verdi, 'start', str(n_workers))
            yield self._workers(n_workers)
        finally:
            self.run(*verdi, 'stop')

    def _workers(self, number: int) -> list[int]:
        """Return the workers once all of them are there."""
        end = time.monotonic() + _LIMIT_S
        while True:
            status = self.run('verdi', '-p', PROFILE, 'daemon', 'status')
            found = [int(pid) for pid in re.findall(r'^\s*(\d+)\s+[\d.]+', status, re.MULTILINE)]
            if len(found) == number:
                return found
            if time.monotonic() > end:
                raise RuntimeError(f'The daemon has {len(found)} workers and not {number}.')
            time.sleep(0.5)


def _services(command: str, folder: Path) -> None:
    """Start or stop the servers.

    :raises RuntimeError: if that fails.
    """
    arguments: Sequence[str] = [sys.executable, str(_SERVICES), command, '--folder', str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'services.py {command} failed: {done.stderr.strip()}')


@contextmanager
def site() -> Iterator[Site]:
    """Start servers, make a profile on them as users do, and leave nothing behind at the end."""
    folder = Path(tempfile.mkdtemp(prefix='anial-load-'))
    # Root's servers run under accounts of their own, which must get through; what is inside is closed.
    folder.chmod(0o711)
    made = Site(folder)
    try:
        _services('start', folder / 'services')
        made.run('aiida-anial', 'setup', '--profile', PROFILE, '--credentials', str(made.credentials))
        yield made
    finally:
        _services('stop', folder / 'services')
        shutil.rmtree(folder)
