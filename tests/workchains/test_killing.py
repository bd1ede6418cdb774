"""A work chain is killed with its children, whenever the request arrives."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process

from aiida_anial.workchains.killing import have_all_ended
from aiida_anial.workchains.label import LabelWorkChain


async def answered(value: bool) -> bool:
    return value


@pytest.fixture
def chain(local_runner, worker, make_structures, fake_job, monkeypatch) -> Any:
    """A labelling that can be run until it waits for a job that does nothing."""
    evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    process: Any = instantiate_process(local_runner, LabelWorkChain, cells=make_structures(1), evaluate=evaluate)

    def submit(*_: Any, **__: Any) -> Any:
        return fake_job('anial.evaluate', caller=process.node, call_link_label='job', state=ProcessState.WAITING)

    monkeypatch.setattr(process.runner, 'submit', submit)
    return process


@pytest.mark.parametrize('state', [ProcessState.FINISHED, ProcessState.WAITING])
def test_a_child_that_ended_by_itself_is_no_problem(chain, fake_job, state):
    fake_job('anial.evaluate', caller=chain.node, call_link_label='job', state=state)
    assert asyncio.run(have_all_ended(chain.node, answered(False))) is (state == ProcessState.FINISHED)
    assert asyncio.run(have_all_ended(chain.node, answered(True)))


def test_children_are_asked_to_end_when_what_was_waited_for_has_just_come(chain, monkeypatch):
    asked: list[int] = []

    def kill_process(pk: int, **_: Any) -> Future[bool]:
        asked.append(pk)
        answer: Future[bool] = Future()
        answer.set_result(True)
        return answer

    monkeypatch.setattr(chain.runner, '_controller', SimpleNamespace(kill_process=kill_process))

    async def story() -> bool:
        running = asyncio.ensure_future(chain.step_until_terminated())
        while chain.state != ProcessState.WAITING:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        chain.resume()
        done = await chain.kill('enough')
        await running
        return bool(done)

    assert chain.runner.loop.run_until_complete(story())
    assert chain.node.is_killed
    assert asked == [child.pk for child in chain.node.called]
    assert len(asked) == 1
