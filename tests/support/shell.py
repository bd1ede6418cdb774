"""Run the commands of the environment as a user does, with a separate AiiDA folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ('BIN', 'ROOT', 'Shell')

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Shell:
    """Runs commands with ``home`` as ``AIIDA_PATH``, and keeps their output.

    :param profile: profile for ``verdi``, ``anial`` and ``ask``.
    :param variables: environment variables for every command, in addition to those of the tests.
    :param printed: output of every command so far.
    """

    home: Path
    profile: str
    variables: dict[str, str] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def run(
        self, program: str, *arguments: Any, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command.

        :param check: fail if the exit status is not 0.
        :param variables: further environment variables.
        """
        result = subprocess.run(
            [str(BIN / program), *map(str, arguments)],
            cwd=self.home,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith('ANIAL_')},
                'AIIDA_PATH': str(self.home),
                'PATH': f'{BIN}{os.pathsep}{os.environ["PATH"]}',
                **self.variables,
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        self.printed.append(result.stdout + result.stderr)
        assert result.returncode == 0 or not check, f'{program} {arguments}: {self.printed[-1]}'
        return result

    def verdi(self, *arguments: Any, check: bool = True) -> str:
        """Return the standard output of a ``verdi`` command for the profile."""
        return self.run('verdi', '-p', self.profile, *arguments, check=check).stdout

    def anial(self, command: str, *arguments: Any, check: bool = True) -> str:
        """Return the standard output of an ``aiida-anial`` command for the profile."""
        return self.run('aiida-anial', command, '-p', self.profile, *arguments, check=check).stdout

    def ask(self, script: Path, *arguments: Any) -> Any:
        """Run a script with ``verdi run``, and return the JSON in its last line of output."""
        return json.loads(self.verdi('run', script, *arguments).splitlines()[-1])

    def workers(self) -> list[int]:
        """Return the process ids of the daemon workers."""
        return [int(pid) for pid in re.findall(r'^\s*(\d+)\s+[\d.]+', self.verdi('daemon', 'status'), re.MULTILINE)]

    def wait(self, condition: Callable[[], Any], *, limit_s: float) -> Any:
        """Wait until ``condition`` returns a true value, and return that value."""
        end = time.monotonic() + limit_s
        while True:
            start = time.monotonic()
            if value := condition():
                return value
            now = time.monotonic()
            assert now < end, f'the condition was not met within {limit_s} s'
            # Each command occupies a core for seconds, which slows down what the test waits for.
            time.sleep(max(0.5, 2 * (now - start)))

    @property
    def config(self) -> dict[str, Any]:
        """Content of AiiDA's configuration file."""
        return json.loads((self.home / '.aiida' / 'config.json').read_text())
