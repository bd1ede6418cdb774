"""A work chain pauses when the machine fails, and runs a job again that did not end by itself."""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process
from aiida.schedulers.datastructures import JobState
from plumpy.base.utils import call_with_super_check
from plumpy.process_states import PauseInterruption

from aiida_anial.labellers.pw_base import PwBaseWorkChain
from aiida_anial.runtime.pausing import is_machine_failure, last_words
from aiida_anial.workchains.label import LabelWorkChain

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
TRACE = 'Traceback (most recent call last):\n  somewhere\nOSError: [Errno 28] No space left on device\n'


@pytest.fixture
def labels(local_runner, worker, make_structures) -> Any:
    """A labelling that has begun."""
    evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    process: Any = instantiate_process(local_runner, LabelWorkChain, cells=make_structures(2), evaluate=evaluate)
    process.setup()
    return process


@pytest.fixture
def failing_step(labels, monkeypatch):
    """Return a function that lets the next step raise, after it has taken something from the context."""

    def make(exception):
        class Stepper:
            def step(self):
                labels.ctx.waiting.pop()
                labels.ctx.n_labelled = 1
                raise exception

        monkeypatch.setattr(labels, '_stepper', Stepper())

    return make


def test_a_full_disk_pauses_before_the_step_and_takes_nothing_from_the_context(labels, failing_step):
    failing_step(FULL)
    before = list(labels.ctx.waiting)
    with pytest.raises(PauseInterruption, match='No space left on device'):
        labels._do_step()
    assert labels.ctx.waiting == before
    assert labels.ctx.n_labelled == 0


def test_the_cause_of_an_exception_counts_too(labels, failing_step):
    wrapped = RuntimeError('the node cannot be stored')
    wrapped.__cause__ = FULL
    failing_step(wrapped)
    with pytest.raises(PauseInterruption):
        labels._do_step()


def test_another_exception_does_not_pause(labels, failing_step):
    failing_step(ValueError('a bug'))
    with pytest.raises(ValueError, match='a bug'):
        labels._do_step()


@pytest.mark.parametrize(
    ('text', 'is_it'),
    [
        (TRACE, True),
        ('sqlite3.OperationalError: database or disk is full', True),
        ('psycopg.errors.DiskFull: could not extend file "base/1": No space left on device', True),
        ('OSError: [Errno 122] Disk quota exceeded', True),
        ('ValueError: could not convert string to float', False),
        ('FileNotFoundError: [Errno 2] No such file or directory', False),
    ],
)
def test_errors_of_the_machine_are_told_from_others(text, is_it):
    assert is_machine_failure(text) is is_it


@pytest.fixture
def base(local_runner, pw_code, pseudo, make_structures) -> Any:
    """A calculation of one cell that has begun."""
    inputs = {
        'kpoints': orm.KpointsData(),
        'clean_workdir': orm.Bool(True),
        'pw': {
            'code': pw_code,
            'structure': make_structures(1)['cell_0000'],
            'parameters': orm.Dict({'CONTROL': {'calculation': 'scf'}, 'SYSTEM': {'ecutwfc': 12}}),
            'pseudos': {'Al': pseudo},
            'metadata': {'options': {'resources': {'num_machines': 1}}},
        },
    }
    inputs['kpoints'].set_kpoints_mesh([1, 1, 1])
    process: Any = instantiate_process(local_runner, PwBaseWorkChain, **inputs)
    process.setup()
    process.ctx.children = []
    return process


@pytest.fixture
def died(base, fake_job, monkeypatch):
    """Return a function that gives the chain a job that did not end by itself, and returns verdict and pauses."""
    pauses: list[str] = []
    monkeypatch.setattr(base, 'pause', pauses.append)

    def make(state, *, exception=None, job_state=None):
        remote = orm.RemoteData(computer=base.inputs.pw.code.computer, remote_path='/there')
        job = fake_job('quantumespresso.pw', state=state, outputs={'remote_folder': remote})
        if exception is not None:
            job.set_exception(exception)
        if job_state is not None:
            job.set_scheduler_state(job_state)
        base.ctx.children.append(job)
        base.ctx.iteration = len(base.ctx.children)
        return base.inspect_process(), list(pauses)

    return make


def test_a_killed_job_is_run_again_once(base, died):
    assert died(ProcessState.KILLED) == (None, [])
    code, pauses = died(ProcessState.KILLED)
    assert code == base.exit_codes.ERROR_SUB_PROCESS_KILLED
    assert pauses == []


def test_a_job_that_excepts_is_run_again_once(base, died):
    assert died(ProcessState.EXCEPTED, exception='ValueError: a bug') == (None, [])
    code, _ = died(ProcessState.EXCEPTED, exception='ValueError: a bug')
    assert code == base.exit_codes.ERROR_SUB_PROCESS_EXCEPTED


def test_a_full_disk_pauses_the_chain_each_time(died):
    for number in (1, 2, 3):
        code, pauses = died(ProcessState.EXCEPTED, exception=TRACE)
        assert code is None
        assert len(pauses) == number
        assert 'No space left on device' in pauses[-1]


def test_the_files_of_an_excepted_job_are_fetched_and_not_paid_for_again(base, died):
    died(ProcessState.EXCEPTED, exception=TRACE, job_state=JobState.DONE)
    assert base.ctx.inputs.remote_folder.get_remote_path() == '/there'


@pytest.mark.parametrize(
    ('state', 'exception', 'job_state'),
    [
        (ProcessState.EXCEPTED, TRACE, JobState.RUNNING),
        (ProcessState.EXCEPTED, 'ValueError: nan', JobState.DONE),
        (ProcessState.KILLED, None, JobState.DONE),
    ],
)
def test_an_unfinished_or_unreadable_job_is_run_again(base, died, state, exception, job_state):
    died(state, exception=exception, job_state=job_state)
    assert 'remote_folder' not in base.ctx.inputs


@pytest.fixture
def fetched(base, died, fake_job):
    """A job that fetched what another had left, as the last child of the chain."""
    died(ProcessState.EXCEPTED, exception=TRACE, job_state=JobState.DONE)
    inputs = {'remote_folder': base.ctx.inputs.remote_folder}
    job = fake_job('quantumespresso.pw', inputs=inputs, outputs={'output_parameters': orm.Dict({'energy': 1.0})})
    base.ctx.children.append(job)
    base.ctx.iteration = len(base.ctx.children)
    return job


def test_a_job_that_only_fetched_files_has_the_work_directory_of_the_one_that_left_them(base, fetched):
    outputs = base.get_outputs(fetched)
    assert set(outputs) >= {'output_parameters', 'retrieved', 'remote_folder'}
    assert outputs['remote_folder'].get_remote_path() == '/there'


def test_a_job_without_a_work_directory_keeps_no_other_from_being_cleaned(base, fake_job, monkeypatch):
    cleaned = []
    monkeypatch.setattr(orm.RemoteData, '_clean', lambda self: cleaned.append(self.get_remote_path()))
    fake_job('quantumespresso.pw', caller=base.node)
    remote = orm.RemoteData(computer=base.inputs.pw.code.computer, remote_path='/there')
    fake_job('quantumespresso.pw', outputs={'remote_folder': remote}, caller=base.node)
    call_with_super_check(base.on_terminated)
    assert cleaned == ['/there']


def test_results_that_are_not_finite_are_computed_once_more(base, fake_job):
    trajectory = orm.ArrayData()
    for name, value in (('energy', [1.0]), ('forces', [[[np.nan, 0.0, 0.0]]]), ('stress', [[[0.0]]])):
        trajectory.set_array(name, np.array(value))
    job = fake_job('quantumespresso.pw', outputs={'output_trajectory': trajectory})
    assert base.sanity_check_finite(job).exit_code.status == 0
    again = base.sanity_check_finite(job).exit_code
    assert again.status == 510
    assert again.message == 'pw.x gave forces that are not finite, twice.'


def test_finite_numbers_are_left_alone(base, fake_job):
    trajectory = orm.ArrayData()
    trajectory.set_array('forces', np.zeros((1, 1, 3)))
    assert base.sanity_check_finite(fake_job('quantumespresso.pw', outputs={'output_trajectory': trajectory})) is None


def test_the_line_that_names_the_fault_is_reported_and_not_the_next_one():
    trace = 'Traceback:\nsqlite3.OperationalError: database or disk is full\n(Background on this error at: somewhere)\n'
    assert last_words(trace) == 'sqlite3.OperationalError: database or disk is full'
    assert last_words('Traceback:\n  somewhere\nValueError: a bug\n') == 'ValueError: a bug'
    assert last_words(None) == 'no reason is given'
