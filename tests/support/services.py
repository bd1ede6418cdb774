"""Servers of their own, started and stopped by the script that users have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.shell import ROOT

__all__ = ('Services', 'temporary_services')


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


@contextmanager
def temporary_services(*names: str) -> Iterator[Services]:
    """Give servers that run; not under pytest's folder, which is closed to their accounts.

    :param names: which ones; those that start if nothing is said, if not given.
    """
    folder = Path(tempfile.mkdtemp(prefix='anial-services-'))
    folder.chmod(0o755)
    services = Services(folder / 'services')
    try:
        services.run('start', *names)
        yield services
    finally:
        services.run('stop', *names)
        shutil.rmtree(folder)
