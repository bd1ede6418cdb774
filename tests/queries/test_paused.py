"""Paused processes of a campaign, and the reasons."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common import timezone
from aiida.engine import ProcessState

from aiida_anial.queries.campaign_status import paused_processes

TRACE = 'Traceback (most recent call last):\n  somewhere\nOSError: [Errno 28] No space left on device\n'


@pytest.fixture
def campaign(fake_chain):
    """A waiting campaign."""
    return fake_chain('ActiveLearningWorkChain', state=ProcessState.WAITING)


@pytest.fixture
def job(campaign, fake_chain, fake_job):
    """A job of the campaign that AiiDA has paused."""
    base = fake_chain('PwBaseWorkChain', state=ProcessState.WAITING, caller=campaign)
    job = fake_job('quantumespresso.pw', state=ProcessState.WAITING, caller=base)
    job.pause()
    job.set_process_status('Pausing after failed transport task: upload_calculation failed 5 times consecutively')
    return job


def log(node, message):
    """Add a message to AiiDA's log of a process."""
    return orm.Log(timezone.now(), 'aiida', 'ERROR', node.pk, message).store()


def test_a_paused_job_is_listed_with_its_cause_and_the_command_that_resumes_it(campaign, job):
    log(job, 'iteration 1 of do_upload excepted')
    log(job, TRACE)
    (row,) = paused_processes(campaign)
    assert row['pk'] == job.pk
    assert row['command'] == f'verdi process play {job.pk}'
    assert row['reason'].startswith('Pausing after failed transport task: upload_calculation failed 5 times')
    assert row['reason'].endswith(': OSError: [Errno 28] No space left on device')


def test_without_a_log_the_status_is_the_reason(campaign, job):
    assert paused_processes(campaign)[0]['reason'].endswith('5 times consecutively')


def test_a_process_paused_by_a_user_is_listed_too(campaign):
    campaign.pause()
    assert [row['pk'] for row in paused_processes(campaign)] == [campaign.pk]
    assert paused_processes(campaign)[0]['reason'] == 'somebody paused it'


def test_processes_of_other_campaigns_and_ended_ones_are_not_listed(campaign, job, fake_chain, fake_job):
    other = fake_chain('ActiveLearningWorkChain', state=ProcessState.WAITING)
    other.pause()
    fake_job('quantumespresso.pw', caller=campaign).pause()
    assert [row['pk'] for row in paused_processes(campaign)] == [job.pk]
