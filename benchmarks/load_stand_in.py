"""A stand-in for ``pw.x`` that costs nothing: it answers every input with what one real run printed.

It computes nothing, and no label by it means anything. ``load.py`` alone uses it, in a profile that it throws away.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ('ANSWER', 'CODE', 'PACED', 'PRINTED', 'answers', 'write_stand_in')

CODE: Final = 'pw-stand-in'
# The same, but it sleeps first, so that the workers have time to spare; never as long as the one before, as pw.x.
PACED: Final = 'pw-stand-in-paced'
PRINTED: Final = 'aiida.out'
XML: Final = 'data-file-schema.xml'
# Where pw.x leaves each file of the answer that it does not print.
_PLACES: Final = {XML: 'out/aiida.save'}
ANSWER: Final = (PRINTED, XML)


def write_stand_in(folder: Path, answer: Mapping[str, bytes], *, pause_s: int = 0) -> Path:
    """Write the program and its answer, and return the path of the program.

    :param answer: content by name, of the files in ``ANSWER``.
    :param pause_s: how long it sleeps at least before it answers, and twice that at most.
    :raises ValueError: if one of them is missing or empty.
    """
    if missing := [name for name in ANSWER if not answer.get(name)]:
        raise ValueError(f'The answer of the stand-in lacks {" and ".join(missing)}.')
    folder.mkdir(parents=True, exist_ok=True)
    for name in ANSWER:
        (folder / name).write_bytes(answer[name])
    lines = [
        '#!/bin/sh',
        '# Stands in for pw.x in a load test: the answer of one real run, whatever the input.',
        'set -e',
    ]
    if pause_s:
        lines.append(f'sleep $(({pause_s} + $$ % {pause_s}))')
    for name, place in _PLACES.items():
        lines += [f'mkdir -p {place}', f'cp {shlex.quote(str(folder / name))} {place}/{name}']
    lines += [f'exec cat {shlex.quote(str(folder / PRINTED))}', '']
    path = folder / (PACED if pause_s else CODE)
    path.write_text('\n'.join(lines))
    path.chmod(0o755)
    return path


def answers(program: Path, folder: Path) -> dict[str, bytes]:
    """Run the program in a folder and return the files that AiiDA would retrieve from there."""
    printed = subprocess.run([str(program), '-in', 'aiida.in'], cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    return {PRINTED: printed, **{name: (folder / place / name).read_bytes() for name, place in _PLACES.items()}}
