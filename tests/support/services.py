"""Private servers for tests, started and stopped with ``services/services.py``."""

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
    """The servers of one folder."""

    folder: Path

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``services/services.py`` for this folder."""
        command = [sys.executable, ROOT / 'services' / 'services.py', *arguments, '--folder', self.folder]
        result = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert result.returncode == 0 or not check, result.stderr
        return result

    def pid(self, name: str) -> int:
        """Return the process id of a server."""
        return int(json.loads((self.folder / f'{name}.pid').read_text())['pid'])

    def kill(self, name: str) -> None:
        """Kill a server, and wait until its process is gone or a zombie."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        status = Path(f'/proc/{pid}/stat')
        while status.exists() and ') Z' not in status.read_text():
            time.sleep(0.02)

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` for the RabbitMQ server, and return its output."""
        command = [self.folder / 'rabbitmqctl', '--quiet', *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    @property
    def credentials(self) -> dict[str, dict[str, Any]]:
        """Content of the credentials file for ``aiida-anial setup``."""
        return yaml.safe_load((self.folder / 'credentials.yaml').read_text())

    @property
    def secrets(self) -> list[str]:
        """All passwords and Erlang's cookie."""
        return list(json.loads((self.folder / 'services.json').read_text())['passwords'].values())


@contextmanager
def temporary_services(*names: str) -> Iterator[Services]:
    """Provide running servers, in a folder outside pytest's, which the accounts of the servers cannot enter.

    :param names: services to start; by default those that ``services.py start`` starts.
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
