"""Measure the overhead of the work chains with many simulated labels, and write ``benchmarks/results/load.json``.

A production profile is created on its own PostgreSQL and RabbitMQ servers. One real run of ``pw.x`` on a tiny cell
provides the answer of a stand-in, a shell script that only ``load.py`` uses. Its labels cost nothing and have no
meaning, so that only the overhead is left. ``LabelWorkChain`` is compared with bare work chains of
aiida-quantumespresso, which have the same inputs and are submitted by a loop that keeps the same number active. They
take turns in the same daemon, with one, two and four workers. The table in ``docs/topics/load.md`` is updated from the
file. Run it from the repository root, on an idle machine::

    python benchmarks/load.py            # as make bench-load does: an hour and a half, 2,000 labels with two workers
    python benchmarks/load.py --quick    # a quarter of an hour, too few labels to see the memory grow
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import common
import tables
from lab import lab
from load_series import BARE, CHAIN, PROFILE, run_series

SCHEMA_VERSION: Final = 1
N_LABELS: Final = 2000
N_QUICK: Final = 32
# Largest number of cells in one work chain: that of the paper's first labelling, the largest of a campaign.
CELLS: Final = 400
MAX_CONCURRENT: Final = 16
PAUSE_S: Final = 60
WORKERS: Final = (2, 1, 4)
MAIN: Final = '2'
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'plumpy', 'kiwipy', 'sqlalchemy', 'psycopg')


def content(found: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the file.

    :param found: results of the series, by number of workers.
    :param given: settings of the measurement, and properties of the stand-in.
    """
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
        'date': common.now(),
        'machine': common.machine(_PACKAGES),
    }


def _promised(main: Mapping[str, Any]) -> dict[str, Any]:
    """Return the main figures, which are those of two workers.

    :param main: results of the series with two workers.
    """
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


def measured(workers: Sequence[int], *, quick: bool) -> dict[str, Any]:
    """Run all measurements and return the content of the file.

    :param workers: numbers of workers, one for each daemon.
    :param quick: whether to make fewer labels.
    """
    n_labels = N_QUICK if quick else N_LABELS
    found: dict[str, Any] = {}
    with lab() as made:
        made.production_profile(PROFILE)
        common.progress('one real run of pw.x, for the answer of the stand-in')
        with made.daemon(PROFILE, 1):
            folder = str(made.folder / 'stand-in')
            answer = made.task(PROFILE, 'load_tasks', 'make_stand_in', folder=folder, pause_s=PAUSE_S)
        for number, n_workers in enumerate(workers):
            load = os.getloadavg()[0]
            # The other daemons show the scaling, for which fewer labels suffice; all labels would take hours.
            labels = n_labels if n_workers == int(MAIN) else max(n_labels // 20, 16)
            series = run_series(
                made,
                n_workers=n_workers,
                n_labels=labels,
                cells=CELLS,
                max_concurrent=MAX_CONCURRENT,
                seed=1000 * (number + 1),
                paced=n_workers == int(MAIN),
            )
            found[str(n_workers)] = {**series, 'load_average_at_start': load}
    return content(found, {'max_concurrent': MAX_CONCURRENT, 'cells_per_chain': CELLS, 'quick': quick, **answer})


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then write the file and the page; return the exit status, which is 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help=f'{N_QUICK} labels with two workers instead of {N_LABELS}')
    parser.add_argument(
        '--workers', type=int, nargs='+', default=WORKERS, help='workers of each daemon; default: 2 1 4'
    )
    parser.add_argument('--json', type=Path, default=tables.LOAD.file, help='file to write')
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    common.unwind_when_killed()
    try:
        results = measured(given.workers, quick=given.quick)
    except RuntimeError as exception:
        print(f'bench-load: {exception} Nothing was written.', file=sys.stderr)
        return 1
    tables.LOAD.publish({**results, 'took_s': time.perf_counter() - start}, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
