"""Children are launched once, and requested again if a stopped daemon has lost them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.manage import get_manager

from aiida_anial.runtime import lost_children, zeromq_tasks
from aiida_anial.runtime.lost_children import _never_begun
from aiida_anial.workchains.label import LabelWorkChain

LABELS = 'aiida.workflows:anial.label'
PW_BASE = 'aiida.workflows:quantumespresso.pw.base'


@pytest.fixture
def chain(new_labelling) -> Any:
    """A labelling before its first step."""
    new_labelling.setup()
    return new_labelling


@pytest.fixture
def launched(chain, monkeypatch) -> list[dict[str, Any]]:
    """What the labelling submits, instead of running it."""
    submitted: list[dict[str, Any]] = []

    def submit(_: Any, inputs: Any = None, **kwargs: Any) -> Any:
        submitted.append(kwargs)
        return orm.CalcJobNode().store()

    monkeypatch.setattr(chain.runner, 'submit', submit)
    return submitted


def test_a_step_that_runs_again_takes_the_child_that_it_had_launched(chain, launched, fake_job):
    job = fake_job('anial.evaluate', caller=chain.node, call_link_label='evaluate')
    chain.run_calculations()
    assert launched == []
    assert list(chain.alive.values()) == [job.pk]


def test_a_child_that_was_never_launched_is(chain, launched, fake_job):
    fake_job('anial.evaluate', caller=chain.node, call_link_label='evaluatX')
    chain.run_calculations()
    assert [kwargs['metadata']['call_link_label'] for kwargs in launched] == ['evaluate']


def test_wildcards_of_the_database_in_a_label_match_nothing_else(chain, launched, fake_chain):
    """An underscore in a query stands for any letter."""
    fake_chain('PwBaseWorkChain', caller=chain.node, call_link_label='cellX0001')
    chain.submit(LabelWorkChain, metadata={'call_link_label': 'cell_0001'})
    assert len(launched) == 1


def test_a_child_that_cannot_continue_is_launched_again(chain, launched, fake_chain):
    """A daemon was killed after it had stored the node and before it had stored its checkpoint."""
    fake_chain('PwBaseWorkChain', caller=chain.node, call_link_label='cell_0001', state=ProcessState.CREATED)
    chain.submit(LabelWorkChain, metadata={'call_link_label': 'cell_0001'})
    assert len(launched) == 1


def test_only_children_that_no_worker_has_begun_are_lost(fake_chain, fake_job):
    top = fake_chain('LabelWorkChain', state=ProcessState.WAITING, process_type=LABELS)
    fake_chain('PwBaseWorkChain', state=ProcessState.FINISHED, caller=top, process_type=PW_BASE)
    base = fake_chain('PwBaseWorkChain', state=ProcessState.WAITING, caller=top, process_type=PW_BASE)
    lost = [
        fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=top, process_type=PW_BASE),
        fake_job('quantumespresso.pw', caller=base, state=ProcessState.CREATED),
    ]
    fake_job('quantumespresso.pw', caller=base, state=ProcessState.WAITING)
    orm.CalcFunctionNode().store()
    assert {node.pk for node in _never_begun(top)} == {node.pk for node in lost}


def test_chains_of_ours_look_after_their_own_children(fake_chain):
    top = fake_chain('CycleWorkChain', state=ProcessState.WAITING, process_type='aiida.workflows:anial.cycle')
    labels = fake_chain('LabelWorkChain', state=ProcessState.WAITING, caller=top, process_type=LABELS)
    lost = fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=labels, process_type=PW_BASE)
    assert list(_never_begun(top)) == []
    assert [node.pk for node in _never_begun(labels)] == [lost.pk]


def test_a_chain_that_has_ended_looks_for_nothing(fake_chain):
    top = fake_chain('LabelWorkChain', process_type=LABELS)
    fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=top, process_type=PW_BASE)
    assert list(_never_begun(top)) == []


@pytest.fixture
def ask_again(chain, monkeypatch):
    """Return a function that lets the labelling look for its lost children, and returns those it requests again."""

    def ask(broker, waiting=()):
        asked: list[int] = []
        controller = SimpleNamespace(continue_process=lambda pk, **_: asked.append(pk))
        monkeypatch.setattr(type(chain.runner), 'controller', controller)
        monkeypatch.setattr(get_manager(), 'get_profile', lambda: SimpleNamespace(process_control_backend=broker))
        monkeypatch.setattr(lost_children, 'requested', lambda _: set(waiting))
        chain._ask_again()
        return asked

    return ask


@pytest.fixture
def lost(chain, fake_job, monkeypatch):
    """A child that was launched before the daemon began again."""
    monkeypatch.setattr(lost_children, '_GRACE_S', -1.0)
    return fake_job('anial.evaluate', caller=chain.node, state=ProcessState.CREATED)


@pytest.mark.parametrize(('broker', 'expected'), [('core.zeromq', 1), ('core.rabbitmq', 0), (None, 0)])
def test_children_are_requested_again_only_with_the_zeromq_broker(ask_again, lost, broker, expected):
    """RabbitMQ outlives the daemon; a second request there could reach a second worker."""
    assert ask_again(broker) == [lost.pk] * expected


def test_a_child_that_was_requested_is_not_requested_again(ask_again, lost):
    """Two workers would run it, and a calculation would be paid for twice."""
    assert ask_again('core.zeromq', waiting=[lost.pk]) == []


def test_a_child_that_was_launched_just_now_is_not_requested_again(ask_again, chain, fake_job):
    fake_job('anial.evaluate', caller=chain.node, state=ProcessState.CREATED)
    assert ask_again('core.zeromq') == []


def test_requests_are_found_in_the_queue_and_in_the_hands_of_workers(tmp_path, monkeypatch):
    tasks = tmp_path / 'storage' / 'tasks'
    for pk, folder in enumerate(('pending', 'processing'), start=7):
        (tasks / folder).mkdir(parents=True)
        (tasks / folder / f'{pk}_request.json').write_text(
            json.dumps({'body': {'args': {'pid': pk}, 'task': 'continue'}})
        )
    (tasks / 'pending' / '1_other.json').write_text('{"body": {"task": "launch"}}')
    (tasks / 'pending' / '2_torn.json').write_text('{"bod')
    config = SimpleNamespace(filepaths=lambda _: {'broker_service': {'dir': tmp_path}})
    monkeypatch.setattr(zeromq_tasks, 'get_config', lambda: config)
    assert zeromq_tasks.requested(None) == {7, 8}
    assert sorted(path.name for path in tasks.rglob('*.json')) == [
        *('1_other.json', '2_torn.json', '7_request.json', '8_request.json')
    ]
