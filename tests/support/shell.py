"""The commands of the environment, run as a user runs them, in an AiiDA folder of its own."""

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
    """Runs commands with ``AIIDA_PATH`` at ``home``, and keeps what they print.

    :param profile: for ``verdi`` and ``ask``.
    :param variables: of the environment of every command, beside those of the tests.
    """

    home: Path
    profile: str
    variables: dict[str, str] = field(default_factory=dict)
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
        """Return what ``verdi`` prints for the profile."""
        return self.run('verdi', '-p', self.profile, *arguments, check=check).stdout

    def anial(self, command: str, *arguments: Any, check: bool = True) -> str:
        """Return what ``aiida-anial`` prints for the profile."""
        return self.run('aiida-anial', command, '-p', self.profile, *arguments, check=check).stdout

    def ask(self, script: Path, *arguments: Any) -> Any:
        """Return the JSON that a script prints last, run by ``verdi run``."""
        return json.loads(self.verdi('run', script, *arguments).splitlines()[-1])

    def workers(self) -> list[int]:
        """Return the process ids of the daemon's workers."""
        return [int(pid) for pid in re.findall(r'^\s*(\d+)\s+[\d.]+', self.verdi('daemon', 'status'), re.MULTILINE)]

    def wait(self, condition: Callable[[], Any], *, limit_s: float) -> Any:
        """Return what ``condition`` returns once that is true."""
        end = time.monotonic() + limit_s
        while True:
            start = time.monotonic()
            if value := condition():
                return value
            now = time.monotonic()
            assert now < end, f'not so after {limit_s} s'
            # A command takes seconds of a core, which what is waited for needs.
            time.sleep(max(0.5, 2 * (now - start)))

    @property
    def config(self) -> dict[str, Any]:
        """AiiDA's configuration."""
        return json.loads((self.home / '.aiida' / 'config.json').read_text())
