"""Measures the speed of the engine and writes ``benchmarks/results/engine.json``.

``make bench`` takes the short forms of all but the longest measurement, in some minutes on two idle cores. Each
measurement runs in a process of its own. The file holds the figures by name, and under ``scripts`` what each
measurement found: rows, machine and versions. What one found before stays there if it is not made again, as long
as it was found on this machine. The table in ``docs/topics/engine.md`` is written anew from the file.

Run it from the repository root::

    python benchmarks/run.py                                    # as make bench does
    python benchmarks/run.py --long                             # everything, long forms: an hour
    python benchmarks/run.py accuracy --long                    # one of them
    python benchmarks/run.py md --engine torch --json /tmp/md.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import child
import common
import tables

SCHEMA_VERSION: Final = 1
# In the order of the table.
SCRIPTS: Final = ('md', 'processes', 'training', 'memory', 'startup', 'accuracy')
LONG_ONLY: Final = ('accuracy',)
_PACKAGES: Final = ('numpy', 'torch', 'torchani', 'numba', 'vesin', 'ase')


def measured(name: str, **given: Any) -> dict[str, Any]:
    """Make a measurement in this process, and return what the file holds of it.

    :param given: what ``Options`` takes.
    """
    import torch

    options = common.Options(**given)
    torch.set_num_threads(options.threads)
    machine = {**common.machine(_PACKAGES), 'threads': options.threads}
    start = time.perf_counter()
    result: common.Result = importlib.import_module(name).measure(options)
    took = {'date': common.now(), 'took_s': time.perf_counter() - start}
    return {**asdict(result), 'short': options.short, 'engine': options.engine, **took, 'machine': machine}


def merged(before: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of the file after measurements were made.

    :param before: its content so far.
    :param found: what each measurement has found now.
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
    """Measure and write the file; the exit status is 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('scripts', nargs='*', help=f'some of {", ".join(SCRIPTS)}')
    parser.add_argument('--long', action='store_true', help='long forms')
    parser.add_argument('--threads', type=int, default=common.Options.threads, help='threads of all programs')
    parser.add_argument('--engine', default=common.Options.engine, help='engine to measure')
    parser.add_argument('--json', type=Path, default=tables.ENGINE.file, help='file to write')
    given = parser.parse_args(arguments)
    names = given.scripts or [name for name in SCRIPTS if given.long or name not in LONG_ONLY]
    if unknown := sorted(set(names) - set(SCRIPTS)):
        parser.error(f'there is no measurement {unknown[0]!r}; there are {", ".join(SCRIPTS)}.')
    # What torch begins with; the measurements set the threads of each program themselves.
    environment = {'OMP_NUM_THREADS': str(given.threads)}
    options = {'short': not given.long, 'threads': given.threads, 'engine': given.engine}
    found = {}
    for name in names:
        try:
            found[name] = child.run('run', 'measured', environment=environment, name=name, **options)
        except RuntimeError:
            print(f'bench: {name} failed. Nothing was written.', file=sys.stderr)
            return 1
        common.show(name, found[name]['rows'])
    before = json.loads(given.json.read_text()) if given.json.exists() else {}
    tables.ENGINE.publish(merged(before, found), given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
