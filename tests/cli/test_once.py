"""A job runs once even if the daemon submits it twice, having been killed before it stored the first submission."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from aiida_anial.cli.installation import ONCE_AFTER, ONCE_BEFORE


@pytest.fixture
def submit(tmp_path):
    """Return a function that starts a job, always in the same folder."""

    def start(program):
        script = tmp_path / '_aiidasubmit.sh'
        script.write_text(f'{ONCE_BEFORE}echo run >> runs\n{program}\n{ONCE_AFTER}')
        return subprocess.Popen(['bash', script], cwd=tmp_path, start_new_session=True)

    return start


@pytest.fixture
def runs(tmp_path):
    """Return a function that waits for the first start of the program and returns the number of starts."""

    def count():
        end = time.monotonic() + 20
        while not (tmp_path / 'runs').exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        return len((tmp_path / 'runs').read_text().split())

    return count


def test_the_second_job_waits_for_the_first_and_keeps_its_results(submit, runs):
    first = submit('sleep 1')
    assert runs() == 1
    second = submit('sleep 1')
    assert second.wait(20) == 0
    assert first.wait(20) == 0
    assert runs() == 1


def test_the_second_job_runs_if_the_first_was_killed(submit, runs):
    first = submit('sleep 60')
    assert runs() == 1
    second = submit('true')
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(20)
    assert second.wait(20) == 0
    assert runs() == 2


def test_the_exit_status_of_the_program_is_kept(submit):
    assert submit('(exit 7)').wait(20) == 7
