"""What ``graph.py`` has done in processes of their own: one profile is loaded in each.

The last line that a task prints is a JSON object.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from graph_builder import Plan, build
from graph_campaign import count_of, run_builder, tiny_campaign
from graph_measure import measure
from graph_template import Template, read_template
from graph_writer import make_writer
from profiles import make_profile, sqlite_storage

__all__ = ('TASKS', 'archived_template', 'main')


def campaign(*, profile: str, folder: str, archive: str) -> dict[str, Any]:
    """Run the small campaign in a profile of its own, and pack it.

    :param folder: of the storage.
    :param archive: file to write.
    """
    from aiida import orm
    from aiida.tools.archive import create_archive

    from aiida_anial.pseudopotential import PSEUDO_FAMILY

    _do_not_wait_for_the_disk()
    make_profile(profile, sqlite_storage(Path(folder)))
    before, start = count_of(), time.perf_counter()
    node = run_builder(
        tiny_campaign(
            worker_code=orm.load_code('anial-worker'),
            pw_code=orm.load_code('pw'),
            pseudo=orm.load_group(PSEUDO_FAMILY).get_pseudo('Al'),
        )
    )
    took, made = time.perf_counter() - start, count_of() - before
    create_archive([node], filename=archive)
    n_labels = sum(shard.n_configurations for shard in node.outputs.shards.values())
    return {'n_labels': n_labels, 'n_label_nodes': read_template(node).n_label_nodes, 'n_nodes': made, 'took_s': took}


def build_campaign(
    *, profile: str, storage: tuple[str, dict[str, Any]], archive: str, n_labels: int, own_files: bool
) -> dict[str, Any]:
    """Grow a large campaign after the packed one, in a profile of its own."""
    from aiida import orm
    from aiida.manage import get_manager

    make_profile(profile, (storage[0], storage[1]))
    template, computers = archived_template(Path(archive))
    start = time.perf_counter()
    built = build(
        template,
        Plan.of_size(n_labels, own_files=own_files),
        make_writer(get_manager().get_profile_storage()),
        user=_pk(orm.User.collection.get_default()),
        computers=computers,
    )
    return {'campaign': built.campaign, 'rows': dict(built.counts), 'took_s': time.perf_counter() - start}


def measure_profile(*, profile: str, campaign: int, repeats: int, archive: bool) -> dict[str, Any]:
    """Measure what users wait for."""
    from aiida import load_profile
    from aiida.manage import get_manager

    load_profile(profile)
    repository: Any = get_manager().get_profile_storage().get_repository()
    with repository._container as container:
        size = container.get_total_size()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(campaign, Path(folder), repeats=repeats, archive=archive)
    found['repository_bytes'] = size.total_size_packed_on_disk + size.total_size_loose
    return found


def archived_template(path: Path) -> tuple[Template, dict[int, int]]:
    """Return the campaign in an archive, and the computers of the loaded profile by those in the archive."""
    from aiida import orm
    from aiida.tools.archive.abstract import get_format

    with get_format().open(path, 'r') as reader:
        backend = reader.get_backend()
        filters = {'attributes.process_label': 'ActiveLearningWorkChain'}
        query = orm.QueryBuilder(backend=backend).append(orm.WorkChainNode, filters=filters)
        template = read_template(query.one()[0])
        labels = orm.QueryBuilder(backend=backend).append(orm.Computer, project=['id', 'label']).all()
    return template, {pk: _pk(orm.load_computer(label)) for pk, label in labels}


def _pk(entity: Any) -> int:
    return int(entity.pk)


def _do_not_wait_for_the_disk() -> None:
    """Spare a database that nobody needs after a power cut thousands of flushes."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, 'connect')
    def connected(connection: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute('PRAGMA synchronous = OFF')


TASKS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    task.__name__: task for task in (campaign, build_campaign, measure_profile)
}


def main() -> int:
    """Do the task that the command line names, with the arguments that it gives as JSON."""
    name, arguments = sys.argv[1:]
    print(json.dumps(TASKS[name](**json.loads(arguments))))
    return 0


if __name__ == '__main__':
    sys.exit(main())
