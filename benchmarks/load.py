"""Measures the engine under many labels that cost nothing, and writes ``benchmarks/results/load.json``.

A production profile is made on a PostgreSQL and a RabbitMQ of its own. One real run of ``pw.x`` on a tiny cell gives
the answer of a stand-in, a shell script that ``load.py`` alone uses; no label by it means anything. What is left is
the engine: ``LabelWorkChain``, and the bare work chains of aiida-quantumespresso with the same inputs, submitted by a
loop that keeps as many in flight. They take turns in the same daemon, with one, two and four workers. The table in
``docs/topics/load.md`` is written anew from the file. Run it from the repository root, on an idle machine::

    python benchmarks/load.py            # as make bench-load does: an hour and a half, 2,000 labels with two workers
    python benchmarks/load.py --quick    # a quarter of an hour, too few labels to see memory grow
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import common
import load_table
from load_series import BARE, CHAIN, run_series
from load_site import site

__all__ = ('SCHEMA_VERSION', 'content', 'main')

SCHEMA_VERSION: Final = 1
N_LABELS: Final = 2000
N_QUICK: Final = 32
# Of the first labelling of a campaign, the largest of all: the paper's.
CELLS: Final = 400
MAX_CONCURRENT: Final = 16
PAUSE_S: Final = 60
WORKERS: Final = (2, 1, 4)
MAIN: Final = '2'
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'plumpy', 'kiwipy', 'sqlalchemy', 'psycopg')


def content(found: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the file.

    :param found: the series, by number of workers.
    :param given: what was asked for, and what the stand-in answers.
    """
    packages = {name: version(name) for name in _PACKAGES}
    chains = [series[kind] for series in found.values() for kind in (CHAIN, 'paced') if kind in series]
    most = [max(chain['most_alive'], chain['most_alive_polled']) for chain in chains]
    main = found.get(MAIN)
    return {
        'schema_version': SCHEMA_VERSION,
        **(_promised(main) if main else {}),
        'most_alive': max(most),
        'never_above_max_concurrent': max(most) <= given['max_concurrent'],
        **given,
        'series': dict(found),
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'machine': {
            'cpu': common._cpu(),
            'cores': len(os.sched_getaffinity(0)),
            'versions': {'python': platform.python_version(), **packages},
        },
    }


def _promised(main: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that have a goal, those of two workers."""
    grown = [one['mib_per_1000'] for one in main.get('growth', []) if one]
    return {
        'n_labels': main[CHAIN]['n_labels'],
        'n_labels_bare': main[BARE]['n_labels'],
        'wall_s_per_label': main[CHAIN]['wall_s_per_label'],
        'engine_s_per_label': main[CHAIN]['engine_s_per_label'],
        'engine_s_per_label_bare': main[BARE]['engine_s_per_label'],
        'engine_ratio': main['engine_ratio'],
        'engine_ratio_with_scripts': main['engine_ratio_with_scripts'],
        'processes_per_hour': main[CHAIN]['processes_per_hour'],
        'slot_idle_max_s': main.get('paced', {}).get('slot_idle_max_s'),
        'slot_idle_max_saturated_s': main[CHAIN]['slot_idle_max_s'],
        'memory_growth_mib_per_1000': max(grown, default=None),
    }


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    found: dict[str, Any] = {}
    with site() as made:
        common.progress('one real run of pw.x, for the answer of the stand-in')
        with made.daemon(1):
            answer = made.task('make_stand_in', folder=str(made.folder / 'stand-in'), pause_s=PAUSE_S)
        for number, n_workers in enumerate(given.workers):
            load = os.getloadavg()[0]
            # The others show how it scales; all labels with each of them would take hours.
            labels = given.labels if n_workers == int(MAIN) else max(given.labels // 20, 16)
            series = run_series(
                made,
                n_workers=n_workers,
                n_labels=labels,
                cells=given.cells,
                max_concurrent=given.max_concurrent,
                seed=1000 * (number + 1),
                paced=n_workers == int(MAIN),
            )
            found[str(n_workers)] = {**series, 'load_average_at_start': load}
    return content(
        found,
        {'max_concurrent': given.max_concurrent, 'cells_per_chain': given.cells, 'quick': given.quick, **answer},
    )


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--labels', type=int, help=f'by LabelWorkChain with two workers; default: {N_LABELS}')
    parser.add_argument('--quick', action='store_true', help=f'{N_QUICK} labels')
    parser.add_argument('--cells', type=int, default=CELLS, help='of one LabelWorkChain at most; default: %(default)s')
    parser.add_argument('--max-concurrent', type=int, default=MAX_CONCURRENT, help='default: %(default)s')
    parser.add_argument('--workers', type=int, nargs='+', default=WORKERS, help='of each daemon; default: 2 1 4')
    parser.add_argument('--json', type=Path, default=load_table.PAGE.file, help='file to write')
    given = parser.parse_args(arguments)
    given.labels = given.labels or (N_QUICK if given.quick else N_LABELS)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the file and the page; the exit status is 1 if something failed."""
    given = _parsed(arguments)
    start = time.perf_counter()
    # A plain kill unwinds as Ctrl-C does, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = measured(given)
    except RuntimeError as exception:
        print(f'bench-load: {exception} Nothing was written.', file=sys.stderr)
        return 1
    load_table.PAGE.publish(results, given.json, took_s=time.perf_counter() - start)
    return 0


if __name__ == '__main__':
    sys.exit(main())
