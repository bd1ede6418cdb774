"""Children are launched once, and asked for again if a daemon that stopped has lost them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_anial.workchains.label import LabelWorkChain
from aiida_anial.workchains.staged import _lost

LABELS = 'aiida.workflows:anial.label'
PW_BASE = 'aiida.workflows:quantumespresso.pw.base'


@pytest.fixture
def chain(local_runner, worker, make_structures) -> Any:
    """A labelling that has not begun."""
    evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    process: Any = instantiate_process(local_runner, LabelWorkChain, cells=make_structures(1), evaluate=evaluate)
    process.setup()
    return process


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
    awaited = chain.run_evaluation()
    assert launched == []
    assert awaited['evaluation'].pk == job.pk


def test_a_child_that_was_never_launched_is(chain, launched, fake_job):
    fake_job('anial.evaluate', caller=chain.node, call_link_label='evaluatX')
    chain.run_evaluation()
    assert [kwargs['metadata']['call_link_label'] for kwargs in launched] == ['evaluate']


def test_wildcards_of_the_database_in_a_label_match_nothing_else(chain, launched, fake_chain):
    """An underscore in a query stands for any letter."""
    fake_chain('PwBaseWorkChain', caller=chain.node, call_link_label='cellX0001')
    chain.submit(LabelWorkChain, metadata={'call_link_label': 'cell_0001'})
    assert len(launched) == 1


def test_a_child_that_cannot_go_on_is_launched_anew(chain, launched, fake_chain):
    """A daemon was killed after it had stored the node and before it had stored its checkpoint."""
    fake_chain('PwBaseWorkChain', caller=chain.node, call_link_label='cell_0001', state=ProcessState.CREATED)
    chain.submit(LabelWorkChain, metadata={'call_link_label': 'cell_0001'})
    assert len(launched) == 1


def test_what_nobody_has_begun_is_lost_and_nothing_else(fake_chain, fake_job):
    top = fake_chain('LabelWorkChain', state=ProcessState.WAITING, process_type=LABELS)
    fake_chain('PwBaseWorkChain', state=ProcessState.FINISHED, caller=top, process_type=PW_BASE)
    base = fake_chain('PwBaseWorkChain', state=ProcessState.WAITING, caller=top, process_type=PW_BASE)
    lost = [
        fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=top, process_type=PW_BASE),
        fake_job('quantumespresso.pw', caller=base, state=ProcessState.CREATED),
    ]
    fake_job('quantumespresso.pw', caller=base, state=ProcessState.WAITING)
    orm.CalcFunctionNode().store()
    assert {node.pk for node in _lost(top)} == {node.pk for node in lost}


def test_chains_of_ours_look_after_their_own_children(fake_chain):
    top = fake_chain('CycleWorkChain', state=ProcessState.WAITING, process_type='aiida.workflows:anial.cycle')
    labels = fake_chain('LabelWorkChain', state=ProcessState.WAITING, caller=top, process_type=LABELS)
    lost = fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=labels, process_type=PW_BASE)
    assert list(_lost(top)) == []
    assert [node.pk for node in _lost(labels)] == [lost.pk]


def test_a_chain_that_has_ended_looks_for_nothing(fake_chain):
    top = fake_chain('LabelWorkChain', process_type=LABELS)
    fake_chain('PwBaseWorkChain', state=ProcessState.CREATED, caller=top, process_type=PW_BASE)
    assert list(_lost(top)) == []


@pytest.mark.parametrize(('broker', 'expected'), [('core.zeromq', 1), ('core.rabbitmq', 0), (None, 0)])
def test_only_with_the_broker_that_loses_are_children_asked_for_again(chain, fake_job, monkeypatch, broker, expected):
    """RabbitMQ outlives the daemon; a second request there could reach a second worker."""
    asked: list[int] = []
    job = fake_job('anial.evaluate', caller=chain.node, state=ProcessState.CREATED)
    controller = SimpleNamespace(continue_process=lambda pk, **_: asked.append(pk))
    monkeypatch.setattr(type(chain.runner), 'controller', controller)
    profile = SimpleNamespace(process_control_backend=broker)
    monkeypatch.setattr(get_manager(), 'get_profile', lambda: profile)
    chain._ask_again()
    assert asked == [job.pk] * expected
