"""A real profile with a real daemon, in a folder of its own, driven as a user drives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROFILE = 'test'
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Shell:
    """Runs commands of the environment with ``AIIDA_PATH`` at ``home``."""

    home: Path

    def run(self, program: str, *arguments: Any, check: bool = True) -> str:
        """Return what the command prints."""
        result = subprocess.run(
            [str(BIN / program), *map(str, arguments)],
            cwd=self.home,
            env={**os.environ, 'AIIDA_PATH': str(self.home), 'PATH': f'{BIN}{os.pathsep}{os.environ["PATH"]}'},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert result.returncode == 0 or not check, f'{program} {arguments}: {result.stdout}{result.stderr}'
        return result.stdout

    def ask(self, script: str, *arguments: Any) -> Any:
        """Return the JSON that a script beside this file prints last."""
        output = self.run('verdi', '-p', PROFILE, 'run', Path(__file__).with_name(script), *arguments)
        return json.loads(output.splitlines()[-1])

    def wait(self, condition: Callable[[], Any], *, limit_s: float) -> Any:
        """Return what ``condition`` returns once that is true."""
        end = time.monotonic() + limit_s
        while not (value := condition()):
            assert time.monotonic() < end, f'not so after {limit_s} s'
            time.sleep(0.5)
        return value


@pytest.fixture(scope='session')
def shell(tmp_path_factory) -> Iterator[Shell]:
    """The profile that ``aiida-anial setup`` makes, with its daemon running."""
    shell = Shell(tmp_path_factory.mktemp('daemon'))
    shell.run('aiida-anial', 'setup', '--profile', PROFILE)
    shell.run('verdi', '-p', PROFILE, 'daemon', 'start')
    yield shell
    shell.run('verdi', '-p', PROFILE, 'daemon', 'stop')
