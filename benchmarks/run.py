"""Runs the scripts on the speed of the engine one after the other and writes ``benchmarks/results/engine.json``.

``make bench`` runs the short forms of all but the longest, which takes five minutes on two idle cores. The file holds
the figures by name, and under ``scripts`` what each script found: rows, notes, machine and versions. What a script
found before stays there if it is not run again, as long as it was found on this machine. The table in
``docs/topics/engine.md`` is written anew from the file.

Run it from the repository root::

    python benchmarks/run.py                    # as make bench does
    python benchmarks/run.py --long             # everything, long forms: an hour
    python benchmarks/run.py accuracy --long    # one script
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import common
import table

SCHEMA_VERSION: Final = 1
HERE: Final = Path(__file__).parent
# In the order of the table; the last one takes a minute even in its short form.
SCRIPTS: Final = (
    'md',
    'allocator',
    'processes',
    'training',
    'neighbours',
    'scaling',
    'memory',
    'floor',
    'startup',
    'accuracy',
)
LONG_ONLY: Final = ('accuracy',)


def run_script(name: str, *, short: bool, threads: int, engine: str) -> dict[str, Any]:
    """Run one script in a process of its own and return its JSON.

    :raises RuntimeError: if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f'{name}.json'
        command = [sys.executable, str(HERE / f'{name}.py'), '--json', str(path), '--threads', str(threads)]
        command += ['--engine', engine, *(['--short'] if short else [])]
        # What torch and numba begin with; the scripts set the threads of each program themselves.
        environment = {**os.environ, 'OMP_NUM_THREADS': str(threads)}
        status = subprocess.run(command, env=environment, check=False).returncode
        if status:
            raise RuntimeError(f'{name}.py ended with status {status}.')
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def merged(before: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of the file after scripts were run.

    :param before: its content so far.
    :param found: what each script that was run has found.
    """
    here = next(iter(found.values()))['machine']
    kept = {
        name: content
        for name, content in before.get('scripts', {}).items()
        if all(content['machine'][key] == here[key] for key in ('cpu', 'cores', 'threads'))
    }
    both = {**kept, **found}
    scripts = {name: both[name] for name in SCRIPTS if name in both}
    figures = {name: value for content in scripts.values() for name, value in content['figures'].items()}
    return {'schema_version': SCHEMA_VERSION, **figures, 'machine': here, 'scripts': scripts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scripts and write the file; the exit status is 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('scripts', nargs='*', help=f'some of {", ".join(SCRIPTS)}')
    parser.add_argument('--long', action='store_true', help='long forms')
    parser.add_argument('--threads', type=int, default=common.Options.threads, help='threads of all programs')
    parser.add_argument('--engine', default=common.Options.engines[0], help='engine to measure')
    parser.add_argument('--json', type=Path, default=table.PAGE.file, help='file to write')
    given = parser.parse_args(arguments)
    names = given.scripts or [name for name in SCRIPTS if given.long or name not in LONG_ONLY]
    if unknown := sorted(set(names) - set(SCRIPTS)):
        parser.error(f'there is no script {unknown[0]!r}; there are {", ".join(SCRIPTS)}.')
    start = time.perf_counter()
    found = {}
    for name in names:
        try:
            found[name] = run_script(name, short=not given.long, threads=given.threads, engine=given.engine)
        except RuntimeError as exception:
            print(f'bench: {exception} Nothing was written.', file=sys.stderr)
            return 1
    before = json.loads(given.json.read_text()) if given.json.exists() else {}
    content = merged(before, found)
    common.write_json(given.json, content)
    if given.json == table.PAGE.file:
        table.PAGE.write()
    common.show(table.summary(content), time.perf_counter() - start)
    print(f'bench: {given.json}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
