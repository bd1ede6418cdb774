"""Measure the graph of a whole campaign and write ``benchmarks/results/graph.json``.

First, a small campaign with real labels by ``pw.x`` runs. It gives the number of nodes per label, and the template for
campaigns of 6,352 labels, as in the paper, on SQLite and on PostgreSQL. The long form also builds one of 100,000
labels, which takes half an hour or more. Exports, counts and other queries are timed in these campaigns, in one process
for each storage. The table in ``docs/topics/graph-size.md`` is updated from the file. Run it from the repository root,
on an idle machine::

    python benchmarks/graph.py           # as make bench-graph does
    python benchmarks/graph.py --long    # with 100,000 labels on PostgreSQL
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import common
import tables
from lab import Lab, lab

SCHEMA_VERSION: Final = 1
N_LABELS: Final = 6352
N_MANY: Final = 100_000
_REPEATS: Final = 3
_FLAT: Final = ('export_extxyz_s', 'export_hdf5_s', 'count_s', 'status_s')
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'sqlalchemy', 'disk-objectstore', 'h5py', 'numpy')


def built_and_measured(
    made: Lab, profile: str, n_labels: int, *, archive: bool = False, repeats: int = _REPEATS, own_files: bool = True
) -> dict[str, Any]:
    """Build a campaign in a profile and return its measurements.

    :param profile: name of the AiiDA profile.
    :param archive: whether to measure an archive of the campaign as well.
    :param repeats: number of runs of each step.
    :param own_files: whether each label has its own files.
    """
    common.progress(f'{profile}: building {n_labels:,} labels')
    given = {'archive': str(_template(made)), 'n_labels': n_labels, 'own_files': own_files}
    built = made.task(profile, 'graph_tasks', 'build_campaign', **given)
    common.progress(f'{profile}: measuring, {sum(built["rows"].values()):,} rows built in {built["took_s"]:.0f} s')
    load = os.getloadavg()[0]
    what = {'campaign': built['campaign'], 'repeats': repeats, 'archive': archive}
    found = made.task(profile, 'graph_measure', 'measure', **what)
    return {**found, 'links': built['rows']['link'], 'own_files': own_files, 'load_average_at_start': load}


def _template(made: Lab) -> Path:
    return made.folder / 'template.aiida'


def exponents(few: Mapping[str, Any], many: Mapping[str, Any]) -> dict[str, float]:
    """Return the exponents with which the times grow with the number of labels; 1 means in proportion."""
    ratio = math.log(many['n_labels'] / few['n_labels'])
    times = [name for name, value in few.items() if name.endswith('_s') and isinstance(value, float) and name in many]
    return {name: math.log(many[name] / few[name]) / ratio for name in times}


def content(small: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of the file.

    :param small: results of the small campaign.
    :param found: results of the large campaigns, by name of the storage.
    """
    main = found['sqlite']
    return {
        'schema_version': SCHEMA_VERSION,
        **{name: main[name] for name in _FLAT},
        'nodes_per_label': small['n_label_nodes'] / small['n_labels'],
        'campaign_nodes_per_label': small['n_nodes'] / small['n_labels'],
        'campaign_nodes_per_label_6352': main['n_nodes'] / main['n_labels'],
        'small_campaign': dict(small),
        **found,
        'date': common.now(),
        'machine': common.machine(_PACKAGES),
    }


def measured(n_labels: int, n_many: int | None) -> dict[str, Any]:
    """Run all measurements and return the content of the file.

    :param n_labels: number of labels of the campaigns on SQLite and on PostgreSQL.
    :param n_many: number of labels of the largest campaign; None leaves it out.
    """
    with lab() as made:
        # Otherwise, the insertion of the rows would wait for a checkpoint every gigabyte.
        with made.connect() as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
            connection.execute('SELECT pg_reload_conf()')
        common.progress('a small campaign with labels by pw.x')
        made.embedded_profile('small')
        with made.daemon('small', 1):
            small = made.task('small', 'graph_tasks', 'run_campaign', archive=str(_template(made)))
        made.embedded_profile('sqlite')
        made.production_profile('postgresql')
        found = {
            'sqlite': built_and_measured(made, 'sqlite', n_labels, archive=True),
            'postgresql': built_and_measured(made, 'postgresql', n_labels),
        }
        if n_many is not None:
            name = f'postgresql_{n_many}'
            made.production_profile(name)
            many = built_and_measured(made, name, n_many, repeats=1, own_files=False)
            found[name] = {**many, 'growth_exponents': exponents(found['postgresql'], many)}
    return content(small, found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then write the file and the page; return the exit status, which is 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--long', action='store_true', help='also measure 100,000 labels on PostgreSQL')
    parser.add_argument(
        '--labels', type=int, default=N_LABELS, help='labels of each other campaign; default: %(default)s'
    )
    parser.add_argument('--json', type=Path, default=tables.GRAPH.file, help='file to write')
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    common.unwind_when_killed()
    try:
        results = measured(given.labels, N_MANY if given.long else None)
    except RuntimeError as exception:
        print(f'bench-graph: {exception} Nothing was written.', file=sys.stderr)
        return 1
    tables.GRAPH.publish({**results, 'took_s': time.perf_counter() - start}, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
