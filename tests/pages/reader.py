"""A reader who types commands of the pages, with nodes and files of the tests in place of theirs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from aiida_anial.cli.root import main

__all__ = ('Reader',)


@dataclass(frozen=True)
class Reader:
    """Types commands in the current folder.

    :param words: what is typed in place of a word of the pages, or, first, of `COMMAND WORD`.
    """

    words: Mapping[str, str]

    def type(self, command: str) -> str:
        """Run a command, and return what went wrong; nothing if it ended as it should."""
        if not command.startswith('aiida-anial '):
            return self._in_a_shell(command)
        line, _, target = command.partition(' > ')
        _, name, *given = shlex.split(line)
        words = [name, *(self._typed(name, word) for word in given)]
        result = CliRunner().invoke(main, words)
        if target:
            Path(target).write_text(result.stdout)
        if result.exit_code == 0:
            return ''
        return f'{shlex.join(words)}: {result.output.strip() or repr(result.exception)}'

    def _typed(self, command: str, word: str) -> str:
        return self.words.get(f'{command} {word}', self.words.get(word, word))

    def _in_a_shell(self, command: str) -> str:
        program = command.split(maxsplit=1)[0]
        line = re.sub(r'\S+', lambda word: self._typed(program, word[0]), command)
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        done = subprocess.run(
            ['bash', '-c', line],
            env={**os.environ, 'PATH': path},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return '' if done.returncode == 0 else f'{line}: {done.stdout}{done.stderr}'
