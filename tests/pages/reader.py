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

from aiida.cmdline.commands.cmd_verdi import verdi
from click.testing import CliRunner

from aiida_anial.cli.root import main

__all__ = ('Reader',)

_PROGRAMS = {'aiida-anial': main, 'verdi': verdi}


@dataclass(frozen=True)
class Reader:
    """Types commands in the current folder.

    :param words: what is typed in place of a word of the pages, or, first, of `COMMAND WORD`.
    """

    words: Mapping[str, str]

    def type(self, command: str) -> str:
        """Run a command, and return what went wrong; nothing if it ended as it should."""
        line, _, target = command.partition(' > ')
        program, *given = shlex.split(line)
        if program not in _PROGRAMS:
            return self._in_a_shell(command)
        name = program if program == 'verdi' else given[0]
        words = [program, *(self.words.get(f'{name} {word}', self.words.get(word, word)) for word in given)]
        result = CliRunner().invoke(_PROGRAMS[program], words[1:], prog_name=program)
        if target:
            Path(target).write_text(result.stdout)
        if result.exit_code == 0:
            return ''
        why = result.output.strip() or repr(result.exception)
        return f'{shlex.join(words)}: {why}'

    def _in_a_shell(self, command: str) -> str:
        line = re.sub(r'\S+', lambda word: self.words.get(word[0], word[0]), command)
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
