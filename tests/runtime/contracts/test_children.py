"""Contracts of the hooks on children: killed, paused, resumed, and kept alive side by side.

Each test names its hook. It fails for one of two reasons: upstream has changed what the hook builds on, and the hook
must follow; or upstream now does by itself what the hook is for, and the hook can go.
"""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import plumpy
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import (
    BaseRestartWorkChain,
    CalcJob,
    Process,
    ProcessState,
    WorkChain,
)
from plumpy.process_states import PauseInterruption, Waiting
from support.contracts import GONE, Fails, Plain, Restarts, Waits, calls, same


def test_kills_waiting_cannot_be_interrupted_once_it_is_over(make):
    same('killing', Waiting.interrupt, 'self', 'reason')
    process = make(Plain)
    assert type(process).get_state_classes()[ProcessState.WAITING] is Waiting, 'hook killing: its base'
    state = Waiting(process, process.second)
    state.resume()
    with pytest.raises(asyncio.InvalidStateError):  # if not, hook killing: AiiDA does this by itself now
        state.interrupt(plumpy.KillInterruption('enough'))


@pytest.fixture
def killed(make, fake_chain, local_runner, monkeypatch) -> Any:
    """Return a function that kills a waiting chain of AiiDA's, and returns the pks that were asked and the answer."""

    def kill(*states: ProcessState, answers: bool = True) -> Any:
        asked: list[int] = []

        def kill_process(pk: int, **keywords: Any) -> Future[bool]:
            assert set(keywords) == {'msg_text'}, 'hook killing: a child is told something else'
            asked.append(pk)
            answer: Future[bool] = Future()
            answer.set_result(answers)
            return answer

        monkeypatch.setattr(local_runner, '_controller', SimpleNamespace(kill_process=kill_process))
        Waits.launch = lambda self: [fake_chain('Child', caller=self.node, state=state) for state in states]
        process = make(Waits)

        async def story() -> Any:
            running = asyncio.ensure_future(process.step_until_terminated())
            while process.state != ProcessState.WAITING or not process._stepping:
                await asyncio.sleep(0)
            result = process.kill('enough')
            done = await result if asyncio.isfuture(result) else result
            await running
            return done

        return asked, local_runner.loop.run_until_complete(story()), process

    return kill


def test_kills_children_that_have_ended_are_still_asked(killed, local_runner):
    same('killing', Process.kill, 'self', 'msg_text', 'force_kill')
    assert type(local_runner).controller.fget(local_runner) is local_runner._controller, 'hook killing'
    asked, _, _ = killed(ProcessState.WAITING, ProcessState.WAITING)
    assert len(asked) == 2, 'hook killing: children are not asked through `runner.controller`'
    calls('killing', Process.kill, 'for child in self.node.called:', 'self.runner.controller.kill_process(')
    assert 'is_terminated' not in inspect.getsource(Process.kill), f'hook killing: {GONE}'


def test_kills_a_child_that_refuses_still_makes_it_a_problem(killed):
    _, answer, process = killed(ProcessState.WAITING, answers=False)
    assert process.node.is_killed
    assert answer is False, f'hook killing: {GONE}'


def test_pauses_a_step_is_taken_by_do_step_and_may_pause(make, local_runner):
    same('pausing', WorkChain._do_step, 'self')

    class Once(Plain):
        tries = 0

        def _do_step(self) -> Any:
            if Once.tries == 0:
                Once.tries += 1
                raise PauseInterruption('wait a moment')
            return super()._do_step()

    process = make(Once)

    async def story() -> None:
        running = asyncio.ensure_future(process.step_until_terminated())
        while not process.paused:
            await asyncio.sleep(0)
        assert process.node.paused, 'hook pausing: a pause is not stored'
        process.play()
        await asyncio.wait_for(running, 5)

    local_runner.loop.run_until_complete(story())
    assert process.node.is_finished_ok, 'hook pausing: a step that paused is not taken again'


def test_pauses_are_still_needed(make):
    process = make(Fails)
    with pytest.raises(OSError, match='No space'):
        process.execute()
    assert process.node.is_excepted, f'hook pausing: {GONE}'


def test_pauses_the_context_is_one_attribute(make):
    from aiida.common.extendeddicts import AttributeDict

    process = make(Plain)
    other = AttributeDict({'a': 1})
    process._context = other
    assert process.ctx is other, 'hook pausing: the context is not `_context`'


def test_children_are_still_launched_twice_by_a_step_that_runs_again(make, monkeypatch, fake_chain):
    same('launch_once', Process.submit, 'self', 'process', 'inputs', 'kwargs')
    process, launched = make(Plain), []
    monkeypatch.setattr(process.runner, 'submit', lambda *a, **k: launched.append(k) or orm.WorkChainNode())
    fake_chain('Child', caller=process.node, call_link_label='one')
    process.submit(Plain, metadata={'call_link_label': 'one'})
    assert len(launched) == 1, f'hook launch_once: {GONE}'


def test_children_a_checkpoint_tells_which_can_continue(make):
    process = make(Plain)
    assert process.node.checkpoint is not None, 'hook launch_once: a process has no checkpoint at first'
    assert orm.WorkChainNode().store().checkpoint is None
    calls('launch_once', type(process.runner).submit, 'instantiate_process(', 'save_checkpoint(',
          'continue_process(')  # fmt: skip


@pytest.fixture
def restarting(make, monkeypatch) -> Any:
    """Return a function that makes a chain of AiiDA's whose last process ended in a given way."""
    monkeypatch.setattr(CalcJob, '__abstractmethods__', frozenset(), raising=False)

    def build(node: Any) -> Any:
        process = make(Restarts)
        process.setup()
        process.ctx.inputs = {}
        process.ctx.children, process.ctx.iteration = [node], 1
        return process

    return build


@pytest.mark.parametrize('state', [ProcessState.KILLED, ProcessState.EXCEPTED])
def test_resuming_a_job_that_was_killed_or_excepted_still_ends_the_chain(restarting, fake_chain, state):
    same('resuming', BaseRestartWorkChain.inspect_process, 'self')
    code = restarting(fake_chain('Job', state=state)).inspect_process()
    assert code is not None, f'hook resuming: {GONE}'
    assert code.status in (301, 302), 'hook resuming: other exit codes'


def test_resuming_outputs_that_are_stored_already_are_still_forgotten(restarting, fake_chain):
    same('resuming', BaseRestartWorkChain.results, 'self')
    same('resuming', BaseRestartWorkChain.get_outputs, 'self', 'node')
    result = orm.Int(1).store()
    process = restarting(fake_chain('Job', outputs={'result': result}))
    # A daemon was killed after it had stored the link and before it had stored the checkpoint.
    result.base.links.add_incoming(process.node, LinkType.RETURN, 'result')
    process.results()
    assert 'result' not in process.outputs, f'hook resuming: {GONE}'
    process.out('result', result)
    process.update_outputs()
    assert process.outputs == {'result': result}, 'hook resuming: an output cannot be given again'


def test_resuming_a_job_may_begin_with_the_files_of_another():
    hook = 'resuming'
    assert 'remote_folder' in CalcJob.spec().inputs, f'hook {hook}: a job takes no `remote_folder`'
    calls(hook, CalcJob.run, "if 'remote_folder' in self.inputs", '_perform_import')
    calls(hook, CalcJob._perform_import, 'set_remote_workdir')


def test_resuming_the_work_directory_of_a_job_is_still_lost_between_upload_and_checkpoint():
    from aiida.engine.daemon import execmanager
    from aiida.engine.processes.calcjobs import tasks

    hook = 'resuming'
    calls(hook, tasks.task_upload_job, 'UNSTASHING', 'return', "process.out('remote_folder'", 'set_state(')
    source = inspect.getsource(tasks.task_upload_job)
    assert 'get_outgoing' not in source, f'hook {hook}: {GONE}, as it does for `retrieved` since 2.9.4'
    calls(hook, execmanager.upload_calculation, 'get_outgoing(RemoteData', 'return calc_info')


def test_resuming_cleaning_is_done_when_the_chain_ends(restarting, fake_chain):
    calls('resuming', BaseRestartWorkChain.on_terminated, 'super().on_terminated()',
          'self.inputs.clean_workdir.value', 'outputs.remote_folder._clean()')  # fmt: skip
    same('remote_folders', orm.RemoteData._clean, 'self', 'transport')
    assert 'get_remote_workdir' not in inspect.getsource(BaseRestartWorkChain.on_terminated), f'hook resuming: {GONE}'


def test_rolling_a_work_chain_still_waits_for_all(make, fake_chain, local_runner):
    same('rolling', WorkChain._action_awaitables, 'self')
    same('rolling', WorkChain._on_awaitable_finished, 'self', 'awaitable')
    same('rolling', type(local_runner).call_on_process_finish, 'self', 'pk', 'callback')
    children: list[Any] = []

    def launch(self: Any) -> list[Any]:
        children.extend(fake_chain('Child', caller=self.node, state=state) for state in
                        (ProcessState.FINISHED, ProcessState.WAITING))  # fmt: skip
        return children

    Waits.launch = launch
    process = make(Waits)

    async def story() -> None:
        running = asyncio.ensure_future(process.step_until_terminated())
        while process.state != ProcessState.WAITING or len(process._awaitables) == 2:
            await asyncio.sleep(0.01)
        assert process.state == ProcessState.WAITING
        assert [one.pk for one in process._awaitables] == [children[1].pk], 'hook rolling: `_awaitables`'
        process._on_awaitable_finished(process._awaitables[0])
        await asyncio.wait_for(running, 5)

    local_runner.loop.run_until_complete(story())
    assert process.node.is_finished_ok


def test_rolling_awaitables_are_looked_at_on_entering_the_wait_and_on_a_restart():
    calls('rolling', WorkChain.on_wait, 'if self._awaitables:', 'self._action_awaitables()')
    calls('rolling', WorkChain.load_instance_state, 'if self._awaitables:', 'self._action_awaitables()')
    calls('rolling', WorkChain._do_step, 'self._awaitables = []', 'self._stepper.step()',
          'if self._awaitables:', 'return Wait(self._do_step')  # fmt: skip


def test_rolling_a_child_is_still_loaded_and_watched_for_each_call(fake_chain, local_runner):
    """Why no child is watched twice."""
    child = fake_chain('Child', state=ProcessState.WAITING)
    polled = []
    plain = local_runner._poll_process
    local_runner._poll_process = lambda node, callback: polled.append(node.pk)
    try:
        for _ in range(2):
            local_runner.call_on_process_finish(child.pk, lambda: None)
    finally:
        local_runner._poll_process = plain
        del local_runner._poll_process
    assert polled == [child.pk, child.pk], f'hook rolling: {GONE}'


def test_rolling_the_state_of_a_process_is_an_attribute(fake_chain):
    from aiida_anial.runtime.states import ENDED

    ended = fake_chain('Child')
    query = orm.QueryBuilder().append(
        orm.ProcessNode, filters={'id': ended.pk, 'attributes.process_state': {'in': ENDED}}
    )
    assert query.count() == 1, 'hook rolling: the state of a process is stored otherwise'
