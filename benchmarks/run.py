"""Measure the speed of the engine and write ``benchmarks/results/engine.json``.

``make bench`` runs the short forms of all but the longest measurement, in a few minutes on two idle cores. Each
measurement runs in a process of its own. The file contains the figures by name and, under ``scripts``, the results of
each measurement: rows, machine and versions. Earlier results of the other measurements are kept if they are from this
machine, with the same number of threads. The table in ``docs/topics/engine.md`` is updated from the file.

Run it from the repository root::

    python benchmarks/run.py                                    # as make bench does
    python benchmarks/run.py --long                             # everything, long forms: an hour
    python benchmarks/run.py accuracy --long                    # one of them
    python benchmarks/run.py md --engine torch --json md.json   # another engine, into another file
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
    """Run a measurement in this process, and return its results as the file contains them.

    :param name: name of the measurement, one of ``SCRIPTS``.
    :param given: fields of ``Options``.
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
    """Return the new content of the file.

    :param before: previous content.
    :param found: new results, by name of the measurement.
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
    """Measure, then write the file and the page; return the exit status, which is 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('scripts', nargs='*', help=f'measurements to run, some of {", ".join(SCRIPTS)}')
    parser.add_argument('--long', action='store_true', help='run the long forms, and by default all measurements')
    parser.add_argument('--threads', type=int, default=common.Options.threads, help='threads of every program')
    parser.add_argument('--engine', default=common.Options.engine, help='engine to measure')
    parser.add_argument('--json', type=Path, default=tables.ENGINE.file, help='file to write')
    given = parser.parse_args(arguments)
    names = given.scripts or [name for name in SCRIPTS if given.long or name not in LONG_ONLY]
    if unknown := sorted(set(names) - set(SCRIPTS)):
        parser.error(f'there is no measurement {unknown[0]!r}; there are {", ".join(SCRIPTS)}.')
    # Initial number of torch; the measurements set the threads of each program themselves.
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
