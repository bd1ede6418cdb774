"""A work chain is killed with its children, whenever the request arrives."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from aiida.engine import ProcessState

from aiida_anial.runtime.killing import _have_all_ended


async def answered(value: bool) -> bool:
    return value


@pytest.fixture
def chain(new_labelling, fake_job, monkeypatch) -> Any:
    """A labelling that can be run until it waits for a job that does nothing."""

    def submit(*_: Any, **__: Any) -> Any:
        return fake_job('anial.evaluate', caller=new_labelling.node, call_link_label='job', state=ProcessState.WAITING)

    monkeypatch.setattr(new_labelling.runner, 'submit', submit)
    return new_labelling


@pytest.mark.parametrize('state', [ProcessState.FINISHED, ProcessState.WAITING])
def test_a_child_that_ended_by_itself_is_no_problem(chain, fake_job, state):
    fake_job('anial.evaluate', caller=chain.node, call_link_label='job', state=state)
    run = chain.runner.loop.run_until_complete
    assert run(_have_all_ended(chain.node, answered(False))) is (state == ProcessState.FINISHED)
    assert run(_have_all_ended(chain.node, answered(True)))


def test_children_are_asked_to_end_even_if_the_wait_has_just_ended(chain, monkeypatch):
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
