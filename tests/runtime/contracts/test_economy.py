"""Contracts of the hooks that save time.

Each test names its hook. It fails for one of two reasons: upstream has changed what the hook builds on, and the hook
must follow; or upstream now does by itself what the hook is for, and the hook can go.
"""

from __future__ import annotations

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import Process
from aiida.engine.processes.calcjobs import manager
from aiida.engine.processes.calcjobs.manager import JobManager
from aiida.manage import get_manager
from aiida.orm.nodes.links import NodeLinks
from aiida.schedulers.datastructures import JobInfo, JobState
from support.contracts import GONE, calls, parameters, same

from aiida_anial.runtime import attached_outputs, bulk_files, stored_links
from aiida_anial.runtime.kept_values import keep_values
from aiida_anial.runtime.polling import PatientJobsList, wake_jobs_at_changes
from aiida_anial.runtime.xml_schema import keep_schemas

STOCK: Any = PatientJobsList.__base__


def test_polling_jobs_are_those_that_the_hook_names(monkeypatch):
    hook = 'polling'
    same(hook, STOCK._get_jobs_from_scheduler, 'self')
    calls(hook, STOCK._update_job_info, 'await self._get_jobs_from_scheduler()', 'in self._polling_jobs:')
    calls(hook, STOCK._update_job_info, 'self._job_update_requests.pop(job_id', 'future.set_result(')
    calls(hook, JobManager.get_jobs_list, ' JobsList(authinfo, self._transport_queue)')
    monkeypatch.setattr(manager, 'JobsList', STOCK)
    wake_jobs_at_changes()
    assert manager.JobsList is PatientJobsList


def alone(routine: Any) -> Any:
    """Return the result of a coroutine; the event loop of the other tests stays."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(routine)
    finally:
        loop.close()


class Queue:
    """A transport queue that is not used."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()


@pytest.fixture
def polled(monkeypatch):
    """Return a function that gives, for each of several polls, whether a job that waits is woken."""

    async def scripted(self: Any) -> dict[str, JobInfo]:
        self._polling_jobs = frozenset(self._job_update_requests)
        state = said.pop(0)
        return {} if state is None else {'7': JobInfo({'job_id': '7', 'job_state': state})}

    async def poll(kind: Any, n_polls: int) -> list[bool]:
        found, jobs = [], kind(None, Queue())
        for _ in range(n_polls):
            with jobs.request_job_info_update(None, 7) as request:
                await jobs._update_job_info()
                found.append(request.done())
        return found

    def run(kind: Any, *states: JobState | None) -> list[bool]:
        said.extend(states)
        return alone(poll(kind, len(states)))

    said: list[JobState | None] = []
    monkeypatch.setattr(STOCK, '_get_jobs_from_scheduler', scripted)
    monkeypatch.setattr(STOCK, '_ensure_updating', lambda _: None)
    return run


@pytest.mark.parametrize(
    ('states', 'woken'),
    [
        (
            (JobState.QUEUED, JobState.QUEUED, JobState.RUNNING, JobState.RUNNING, None),
            [True, False, True, False, True],
        ),
        # Another job with the same number is another job.
        ((JobState.RUNNING, None, JobState.RUNNING, JobState.RUNNING), [True, True, True, False]),
    ],
)
def test_polling_a_job_hears_of_a_change_and_of_its_end(polled, states, woken):
    assert polled(PatientJobsList, *states) == woken


def test_polling_aiida_still_wakes_a_job_at_each_poll(polled):
    assert polled(STOCK, JobState.RUNNING, JobState.RUNNING) == [True, True], f'hook polling: {GONE}'


def test_polling_a_request_that_was_cancelled_is_forgotten():
    """A job that is paused and resumed asks again."""

    async def run() -> None:
        jobs = PatientJobsList(None, Queue())
        jobs._job_update_requests = {'7': asyncio.Future(), '8': asyncio.Future()}
        jobs._told = dict.fromkeys(('7', '8'), (JobState.RUNNING, None))
        jobs._job_update_requests['7'].cancel()
        info = JobInfo({'job_id': '7', 'job_state': JobState.RUNNING})
        assert jobs._is_news('7', info)
        assert not jobs._is_news('8', info)

    alone(run())


def test_xml_schema_is_read_once(monkeypatch):
    from aiida_quantumespresso.parsers.parse_xml import parse

    stock = getattr(parse.XMLSchema, '__wrapped__', parse.XMLSchema)
    calls('xml_schema', parse.parse_xml, 'XMLSchema(schema_filepath)')
    monkeypatch.setattr(parse, 'XMLSchema', stock)
    keep_schemas()
    from pathlib import Path

    path = min((Path(parse.__file__).parent / 'schemas').glob('*.xsd'))
    assert parse.XMLSchema(path) is parse.XMLSchema(path), 'hook xml_schema: a schema is read again'
    assert stock(path) is not stock(path), f'hook xml_schema: {GONE}'


def test_kept_values_everything_is_still_forgotten_at_each_commit():
    from aiida.storage.psql_dos.backend import PsqlDosBackend
    from aiida.storage.sqlite_dos.backend import SqliteDosStorage

    for storage in (PsqlDosBackend, SqliteDosStorage):
        calls('kept_values', storage._initialise_session, 'expire_on_commit=True')


def test_kept_values_what_may_have_changed_is_read_again_without_forgetting_too(aiida_profile):
    """This is why it is safe not to forget."""
    import sqlalchemy

    session = get_manager().get_profile_storage().get_session()
    expire = session.expire_on_commit
    try:
        keep_values()
        assert not session.expire_on_commit, 'hook kept_values: the session is another one'
        node = orm.WorkChainNode(label='before').store()
        with session.get_bind().begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE db_dbnode SET label = 'after' WHERE id = :pk"), {'pk': node.pk})
        assert node.label == 'after', 'hook kept_values: an old value is read'
    finally:
        session.expire_on_commit = expire


@pytest.fixture
def asked(monkeypatch):
    """Count how often a process asks for its outputs, in a class that stands for AiiDA's."""
    calls('attached_outputs', attached_outputs._stock, 'self._flat_outputs()', 'get_outgoing(', 'output.store()')
    found: list[int] = []
    monkeypatch.setattr(attached_outputs, '_stock', lambda process: found.append(len(process.outputs)))
    return found


def test_attached_outputs_are_asked_for_when_there_are_new_ones(asked):
    process = SimpleNamespace(outputs={}, _flat_outputs=lambda: process.outputs)
    for outputs in ({}, {}, {'one': 1}, {'one': 1}, {'one': 1, 'two': 2}, {'one': 1, 'two': 2}):
        process.outputs = outputs
        attached_outputs._update_outputs(process)
    assert asked == [1, 2]


def test_attached_outputs_that_could_not_be_attached_are_tried_again(monkeypatch):
    process = SimpleNamespace(outputs={'one': 1}, _flat_outputs=lambda: process.outputs)
    failures = iter([OSError('the database is away'), None])

    def attach(_: Any) -> None:
        if (failure := next(failures)) is not None:
            raise failure

    monkeypatch.setattr(attached_outputs, '_stock', attach)
    with pytest.raises(OSError, match='away'):
        attached_outputs._update_outputs(process)
    attached_outputs._update_outputs(process)
    assert next(failures, 'none left') == 'none left'


def test_attached_outputs_aiida_still_asks_without_any(monkeypatch):
    monkeypatch.setattr(Process, 'update_outputs', attached_outputs._stock)
    found = []
    links = SimpleNamespace(get_outgoing=lambda **_: found.append(1) or SimpleNamespace(all_link_labels=list))
    process = SimpleNamespace(
        metadata=SimpleNamespace(store_provenance=True),
        _flat_outputs=dict,
        node=SimpleNamespace(base=SimpleNamespace(links=links)),
    )
    Process.update_outputs(process)
    assert found, f'hook attached_outputs: {GONE}'
    attached_outputs.ask_for_new_outputs_alone()
    assert Process.update_outputs is attached_outputs._update_outputs


@pytest.fixture(scope='module')
def calculation(aiida_profile):
    """Return a calculation with inputs, a caller and outputs, two of its labels alike but for a wildcard."""
    job, caller = orm.CalcJobNode(), orm.WorkChainNode().store()
    for label in ('one', 'x_1', 'xy1'):
        job.base.links.add_incoming(orm.Int(1).store(), LinkType.INPUT_CALC, label)
    job.base.links.add_incoming(caller, LinkType.CALL_CALC, 'job')
    job.store()
    for node, label in ((orm.Dict({'energy': -1.0}), 'energies'), (orm.FolderData(), 'retrieved')):
        node.base.links.add_incoming(job, LinkType.CREATE, label)
        node.store()
        node.base.links.add_incoming(caller, LinkType.RETURN, label)
    return job


@pytest.mark.parametrize('direction', ['incoming', 'outgoing'])
@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'only_uuid': True},
        {'link_type': LinkType.CREATE},
        {'link_type': (LinkType.INPUT_CALC, LinkType.CALL_CALC)},
        {'link_label_filter': 'x_1'},
        {'link_label_filter': r'x\_1'},
        {'link_label_filter': 're%', 'only_uuid': True},
        {'node_class': orm.FolderData},
        {'node_class': orm.Node},
    ],
)
def test_stored_links_are_those_of_aiida(calculation, direction, arguments):
    for node in (calculation, calculation.caller, calculation.outputs.energies, orm.Int(1)):
        links = node.base.links
        found = stored_links._stored_link_triples(links, link_direction=direction, **arguments)
        stock = stored_links._stock_triples(links, link_direction=direction, **arguments)
        assert sorted(map(str, found)) == sorted(map(str, stock))
        assert [type(triple.node) for triple in sorted(found, key=str)] == [
            type(triple.node) for triple in sorted(stock, key=str)
        ]


def test_stored_links_of_something_else_than_a_type_are_refused_as_by_aiida(calculation):
    with pytest.raises(TypeError, match='link_type should be a LinkType'):
        stored_links._stored_link_triples(calculation.base.links, link_type='create')


def test_stored_links_a_cycle_is_still_refused():
    calls('stored_links', stored_links._stock_validation, 'validate_link(', 'builder.count() > 0')
    job = orm.CalcJobNode().store()
    created = orm.Int(1)
    created.base.links.add_incoming(job, LinkType.CREATE, 'number')
    created.store()
    with pytest.raises(ValueError, match='cycle'):
        stored_links._validate_incoming(job.base.links, created, LinkType.INPUT_CALC, 'number')
    fresh = orm.CalcJobNode()
    with pytest.raises(ValueError, match='oneself'):
        stored_links._validate_incoming(fresh.base.links, fresh, LinkType.CALL_CALC, 'itself')


def test_stored_links_aiida_still_builds_a_query_for_each_question(monkeypatch):
    monkeypatch.setattr(NodeLinks, 'get_stored_link_triples', stored_links._stock_triples)
    monkeypatch.setattr(NodeLinks, 'validate_incoming', stored_links._stock_validation)
    same('stored_links', NodeLinks.get_stored_link_triples, *parameters(stored_links._stored_link_triples))
    same('stored_links', NodeLinks.validate_incoming, *parameters(stored_links._validate_incoming))
    calls('stored_links', NodeLinks.get_stored_link_triples, 'QueryBuilder(', 'builder.all()')
    validation = inspect.getsource(NodeLinks.validate_incoming)
    assert 'is_stored' not in validation, f'hook stored_links: {GONE}'
    stored_links.ask_for_links_directly()
    assert NodeLinks.get_stored_link_triples is stored_links._stored_link_triples
    assert NodeLinks.validate_incoming is stored_links._validate_incoming


def test_bulk_files_has_the_arrays_that_aiida_has(aiida_profile):
    node = orm.TrajectoryData()
    node.set_trajectory(['Al', 'Al'], np.arange(12.0).reshape(2, 2, 3), cells=np.tile(np.eye(3), (2, 1, 1)))
    node.store()
    other = orm.ArrayData({'times': np.arange(3)}).store()
    text = orm.FolderData()
    text.base.repository.put_object_from_bytes(b'inside', 'folder/file.txt')
    text.store()
    found = bulk_files.arrays_of([node.pk, other.pk])
    for array in (node, other):
        assert found[array.pk].keys() == set(array.get_arraynames()), (
            'hook bulk_files: files of arrays have other names'
        )
        assert all(np.array_equal(found[array.pk][name], array.get_array(name)) for name in array.get_arraynames())
    assert bulk_files.arrays_of([node.pk, other.pk], 'times').keys() == {other.pk}
    assert bulk_files.contents_of([text.pk]) == {text.pk: {'folder/file.txt': b'inside'}}, 'hook bulk_files: its paths'
