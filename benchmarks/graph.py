"""Measures the graph of a whole campaign, and writes ``benchmarks/results/graph.json``.

A small campaign with real labels by ``pw.x`` runs first. It gives the number of nodes that a label costs, and the
pattern after which campaigns of 6,352 labels, as in the paper, are built, with SQLite and with PostgreSQL; in the long
form one of 100,000 too, which takes half an hour and more. Exports, counts and more are measured in them, each storage
in a process of its own. The table in ``docs/topics/graph-size.md`` is written anew from the file. Run it from the
repository root, on an idle machine::

    python benchmarks/graph.py           # as make bench-graph does
    python benchmarks/graph.py --long    # with 100,000 labels on PostgreSQL
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import common
import graph_table
import postgres

__all__ = ('SCHEMA_VERSION', 'content', 'exponents', 'main')

SCHEMA_VERSION: Final = 1
HERE: Final = Path(__file__).parent
N_LABELS: Final = 6352
N_MANY: Final = 100_000
_REPEATS: Final = 3
_FLAT: Final = ('export_extxyz_s', 'export_hdf5_s', 'count_s', 'status_s')
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'sqlalchemy', 'disk-objectstore', 'h5py', 'numpy')


class _Bench:
    """Runs tasks in the folder of one benchmark.

    :param folder: of the profiles.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._archive = folder / 'template.aiida'

    def real_campaign(self) -> dict[str, Any]:
        """Run the small campaign."""
        common.progress('a small campaign with labels by pw.x')
        return self._task('campaign', profile='small', folder=str(self._folder / 'small'), archive=str(self._archive))

    def sqlite(self, n_labels: int) -> dict[str, Any]:
        """Measure a campaign in SQLite."""
        folder = self._folder / 'sqlite'
        found = self._measured('sqlite', ('core.sqlite_dos', {'filepath': str(folder)}), n_labels, archive=True)
        return self._sizes(found, (folder / 'database.sqlite').stat().st_size)

    def postgresql(self, server: postgres.Server, n_labels: int, **options: Any) -> dict[str, Any]:
        """Measure a campaign in PostgreSQL."""
        name = f'postgresql_{n_labels}'
        server.create_database(name)
        found = self._measured(name, server.storage(name, self._folder / name), n_labels, **options)
        return self._sizes(found, server.database_size(name))

    def _measured(
        self,
        name: str,
        storage: tuple[str, dict[str, Any]],
        n_labels: int,
        *,
        archive: bool = False,
        repeats: int = _REPEATS,
        own_files: bool = True,
    ) -> dict[str, Any]:
        common.progress(f'{name}: building {n_labels:,} labels')
        built = self._task(
            'build_campaign',
            profile=name,
            storage=storage,
            archive=str(self._archive),
            n_labels=n_labels,
            own_files=own_files,
        )
        common.progress(f'{name}: measuring, {sum(built["rows"].values()):,} rows built in {built["took_s"]:.0f} s')
        load = os.getloadavg()[0]
        found = self._task(
            'measure_profile', profile=name, campaign=built['campaign'], repeats=repeats, archive=archive
        )
        return {**found, 'links': built['rows']['link'], 'own_files': own_files, 'load_average_at_start': load}

    @staticmethod
    def _sizes(found: dict[str, Any], database: int) -> dict[str, Any]:
        """Return what was found with the disk that a label takes."""
        repository = found.pop('repository_bytes')
        per_label = {'database': database, 'repository': repository}
        return {**found, **{f'{name}_bytes_per_label': size / found['n_labels'] for name, size in per_label.items()}}

    def _task(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Do a task in a process of its own.

        :raises RuntimeError: if it fails.
        """
        command = [sys.executable, str(HERE / 'graph_tasks.py'), name, json.dumps(arguments)]
        environment = {**os.environ, 'AIIDA_PATH': str(self._folder)}
        log = self._folder / 'log'
        with log.open('w') as stream:
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=stream, text=True, check=False
            )
        if done.returncode:
            raise RuntimeError(f'{name} ended with status {done.returncode}: {log.read_text()[-2000:]}')
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def exponents(few: Mapping[str, Any], many: Mapping[str, Any]) -> dict[str, float]:
    """Return by what power of the number of labels each time grows; 1 is as the data."""
    ratio = math.log(many['n_labels'] / few['n_labels'])
    times = [name for name, value in few.items() if name.endswith('_s') and isinstance(value, float) and name in many]
    return {name: math.log(many[name] / few[name]) / ratio for name in times}


def content(small: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of the file.

    :param small: the small campaign.
    :param found: by name of the storage.
    """
    main = found['sqlite']
    packages = {name: version(name) for name in _PACKAGES}
    return {
        'schema_version': SCHEMA_VERSION,
        **{name: main[name] for name in _FLAT},
        'nodes_per_label': small['n_label_nodes'] / small['n_labels'],
        'campaign_nodes_per_label': small['n_nodes'] / small['n_labels'],
        'campaign_nodes_per_label_6352': main['n_nodes'] / main['n_labels'],
        'small_campaign': dict(small),
        **found,
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'machine': {
            'cpu': common._cpu(),
            'cores': len(os.sched_getaffinity(0)),
            'versions': {'python': platform.python_version(), **packages},
        },
    }


def measured(folder: Path, *, long: bool) -> dict[str, Any]:
    """Measure everything."""
    bench = _Bench(folder)
    small = bench.real_campaign()
    found = {'sqlite': bench.sqlite(N_LABELS)}
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        found['postgresql'] = bench.postgresql(server, N_LABELS)
        if long:
            many = bench.postgresql(server, N_MANY, repeats=1, own_files=False)
            found[f'postgresql_{N_MANY}'] = {**many, 'growth_exponents': exponents(found['postgresql'], many)}
    return content(small, found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the file and the page; the exit status is 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--long', action='store_true', help='with 100,000 labels on PostgreSQL too')
    parser.add_argument('--json', type=Path, default=graph_table.PAGE.file, help='file to write')
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    # A plain kill unwinds as Ctrl-C does, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix='anial-graph-') as folder:
            results = measured(Path(folder), long=given.long)
    except RuntimeError as exception:
        print(f'bench-graph: {exception} Nothing was written.', file=sys.stderr)
        return 1
    graph_table.PAGE.publish(results, given.json, took_s=time.perf_counter() - start)
    return 0


if __name__ == '__main__':
    sys.exit(main())
