"""Contracts of the hooks on storage and brokers.

Each test names its hook. It fails for one of two reasons: upstream has changed what the hook builds on, and the hook
must follow; or upstream now does by itself what the hook is for, and the hook can go.
"""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiida.manage import get_manager
from sqlalchemy import event
from support.contracts import GONE, calls, parameters, same


def test_zeromq_tasks_lie_where_they_are_looked_for(tmp_path):
    from aiida.brokers.zeromq.queue import PersistentQueue
    from aiida.brokers.zeromq.server import ZeromqBrokerServer
    from aiida.brokers.zeromq.service import ZeromqBrokerService
    from plumpy.process_comms import create_continue_body

    hook = 'zeromq_tasks'
    layout = ZeromqBrokerService.FilepathLayout(tmp_path)
    assert layout.storage_path == tmp_path / 'storage', f'hook {hook}: the storage is elsewhere'
    calls(hook, ZeromqBrokerServer.__init__, "/ 'tasks'")
    queue = PersistentQueue(layout.storage_path / 'tasks')
    queue.push('a', {'body': create_continue_body(pid=7, nowait=False), 'no_reply': True})
    queue.push('b', {'body': create_continue_body(pid=8, nowait=False), 'no_reply': True})
    queue.pop()
    found = {path.parent.name: json.loads(path.read_text())['body']['args']['pid'] for path in tmp_path.rglob('*.json')}
    assert found == {'processing': 7, 'pending': 8}, f'hook {hook}: requests are stored otherwise: {found}'


def test_zeromq_tasks_to_read_them_by_aiida_still_takes_them_away(tmp_path):
    from aiida.brokers.zeromq.queue import PersistentQueue

    queue = PersistentQueue(tmp_path)
    queue.push('a', {'body': {}})
    queue.pop()
    PersistentQueue(tmp_path)
    assert not list((tmp_path / 'processing').iterdir()), f'hook zeromq_tasks: {GONE}, by `Broker.iterate_tasks`'


def test_deaf_workers_a_broker_says_who_it_is(tmp_path):
    import os

    from aiida.brokers.zeromq.service import ZeromqBrokerService

    service = ZeromqBrokerService(tmp_path)
    same('deaf_workers', service._write_status, 'status')
    service._write_status({})
    status = json.loads(ZeromqBrokerService.FilepathLayout(tmp_path).status_file.read_text())
    assert status['pid'] == os.getpid(), 'hook deaf_workers: the status of a broker has no `pid`'


def test_deaf_workers_a_restarted_broker_listens_elsewhere_and_nobody_looks_for_it():
    from aiida.brokers.zeromq.broker import ZeromqBroker
    from aiida.brokers.zeromq.communicator import ZeromqCommunicator
    from aiida.brokers.zeromq.service import ZeromqBrokerService

    calls('deaf_workers', ZeromqBrokerService.start, 'tempfile.mkdtemp(')
    calls('deaf_workers', ZeromqBroker.get_communicator, 'communicator is None:', '_router_endpoint')
    assert 'router_endpoint' in parameters(ZeromqCommunicator.__init__), f'hook deaf_workers: {GONE}, perhaps'


def test_workers_are_started_by_a_command_that_ends_so(aiida_profile):
    from aiida.cmdline.commands.cmd_daemon import verdi_daemon
    from aiida.engine.daemon.client import DaemonClient

    assert verdi_daemon.name == 'daemon', 'hooks deafness and worker: `verdi daemon` has another name'
    assert 'worker' in verdi_daemon.commands, 'hooks deafness and worker: there is no `verdi daemon worker`'
    client: Any = SimpleNamespace(profile=SimpleNamespace(name='p'), _verdi_bin='verdi')
    command = DaemonClient.cmd_start_daemon_worker.fget(client)
    assert command[-2:] == ['daemon', 'worker'], f'hooks deafness and worker: workers are started by {command}'


def test_the_folder_of_the_broker_is_in_the_configuration(aiida_profile):
    from aiida.manage.configuration import get_config

    paths = get_config().filepaths(get_manager().get_profile())
    assert 'dir' in paths.get('broker_service', {}), (
        'hook deaf_workers and hook zeromq_tasks: no folder of the broker is known'
    )


def test_storage_the_session_is_made_by_a_method_and_found_in_the_resources(aiida_profile):
    from aiida.storage.psql_dos.backend import PsqlDosBackend
    from sqlalchemy.orm import scoped_session

    hook = 'storage'
    same(hook, PsqlDosBackend.__init__, 'self', 'profile')
    same(hook, PsqlDosBackend._initialise_session, 'self')
    calls(hook, PsqlDosBackend.__init__, 'self._resources =', 'self._initialise_session()', 'self.get_session()')
    storage: Any = get_manager().get_profile_storage()
    assert isinstance(storage._resources.session_factory, scoped_session), f'hook {hook}: no `session_factory`'
    assert storage._resources.session_factory() is storage.get_session(), f'hook {hook}: another session'


def test_storage_the_engine_tells_what_failed():
    from sqlalchemy import ExceptionContext, create_engine

    told = []
    engine = create_engine('sqlite://')
    event.listen(engine, 'handle_error', told.append)
    with engine.connect() as connection, pytest.raises(Exception, match='no such table'):
        connection.exec_driver_sql('SELECT * FROM absent')
    assert isinstance(told[0].original_exception, Exception), 'hook storage: `handle_error`'
    assert told[0].is_disconnect is False
    assert {'original_exception', 'is_disconnect'} <= set(ExceptionContext.__annotations__ | vars(ExceptionContext))


def test_rabbitmq_the_communicator_is_made_by_a_method_and_told_when_it_closes():
    from aiida.brokers.rabbitmq.broker import RabbitmqBroker
    from kiwipy.rmq import RmqThreadCommunicator

    hook = 'rabbitmq_broker'
    same(hook, RabbitmqBroker._create_communicator, 'self')
    same(hook, RabbitmqBroker.close, 'self')
    calls(hook, RabbitmqBroker.get_communicator, 'self._create_communicator()')
    same(hook, RmqThreadCommunicator.add_close_callback, 'self', 'callback', 'weak')
    assert inspect.signature(RmqThreadCommunicator.add_close_callback).parameters['weak'].default is False, (
        f'hook {hook}: a callback that nobody else holds is forgotten'
    )
    assert RabbitmqBroker(SimpleNamespace(uuid='u', process_control_config={}))._profile.uuid == 'u'


def test_rabbitmq_requests_are_listed_by_pk_and_a_process_without_worker_cannot_be_reached(monkeypatch):
    import kiwipy
    from aiida.engine.processes.control import get_process_tasks
    from plumpy.process_comms import RemoteProcessThreadController

    same('rabbitmq_tasks', get_process_tasks, 'broker')
    task = SimpleNamespace(body={'task': 'continue', 'args': {'pid': 7}})
    assert get_process_tasks(SimpleNamespace(iterate_tasks=lambda: iter([task]))) == [7], 'hook rabbitmq_tasks'
    same('rabbitmq_tasks', RemoteProcessThreadController.get_status, 'self', 'pid')
    assert issubclass(kiwipy.UnroutableError, Exception)
