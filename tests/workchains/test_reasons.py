"""The reason why a process failed, as given by the deepest failed process."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState

from aiida_anial.workchains.reasons import reason


@pytest.fixture
def failed_job(fake_job):
    """Return a function that makes a job with an exit status and a message."""

    def make(status: int, message: str, **options: Any) -> orm.CalcJobNode:
        job = fake_job('quantumespresso.pw', exit_status=status, **options)
        job.set_exit_message(message)
        return job

    return make


def test_a_failed_job_is_named_with_status_and_message(failed_job):
    job = failed_job(410, 'The electronic minimization did not converge.')
    assert reason(job) == (
        f'quantumespresso.pw<{job.pk}> exit status 410: The electronic minimization did not converge'
    )


def test_without_a_message_the_job_left_no_outputs(fake_job):
    assert reason(fake_job('anial.train')).endswith('it left no outputs')


@pytest.mark.parametrize(
    ('state', 'words'), [(ProcessState.KILLED, 'was killed'), (ProcessState.EXCEPTED, 'excepted: OSError: no disk')]
)
def test_killed_and_excepted_are_told_apart(fake_chain, state, words):
    chain = fake_chain('PwBaseWorkChain', state=state, exception='OSError: no disk')
    assert reason(chain) == f'PwBaseWorkChain<{chain.pk}> {words}'


def test_the_deepest_failure_is_the_reason(fake_chain, failed_job):
    top = fake_chain('CycleWorkChain', exit_status=402, exit_message='Labelling failed.')
    base = fake_chain('PwBaseWorkChain', exit_status=300, exit_message='Unrecoverable.', caller=top)
    job = failed_job(350, 'The pseudopotential is bad.', caller=base)
    assert reason(top) == f'quantumespresso.pw<{job.pk}> exit status 350: The pseudopotential is bad'


def test_the_last_of_several_failures_is_the_reason(fake_chain, failed_job):
    """Restarts have dealt with the earlier ones."""
    base = fake_chain('TrainWorkChain', exit_status=410)
    failed_job(400, 'interrupted.', caller=base)
    job = failed_job(410, 'broken.', caller=base)
    assert reason(base) == f'quantumespresso.pw<{job.pk}> exit status 410: broken'


def test_a_chain_without_failed_children_is_its_own_reason(fake_chain, fake_job):
    chain = fake_chain('LabelWorkChain', exit_status=410, exit_message='5 failed.')
    fake_job('anial.train', caller=chain)
    assert reason(chain) == f'LabelWorkChain<{chain.pk}> exit status 410: 5 failed'


def test_a_killed_child_is_the_reason(fake_chain):
    parent = fake_chain('LabelWorkChain', exit_status=410)
    child = fake_chain('PwBaseWorkChain', state=ProcessState.KILLED, caller=parent)
    assert reason(parent) == f'PwBaseWorkChain<{child.pk}> was killed'


def test_a_failure_that_the_caller_handled_is_not_its_reason(fake_chain, failed_job, fake_job):
    """That 9 of 10 labels failed says more than that one calculation crashed; the shard was made after it."""
    chain = fake_chain('LabelWorkChain', exit_status=410, exit_message='9 of 10 labels failed.')
    failed_job(300, 'crashed.', caller=fake_chain('PwBaseWorkChain', exit_status=300, caller=chain))
    fake_job('collect_labels', caller=chain)
    assert '9 of 10 labels failed' in reason(chain)
