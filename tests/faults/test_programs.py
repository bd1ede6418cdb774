"""Faults of the programs that a campaign runs, and of the files that they leave."""

from __future__ import annotations

import shutil
import signal
import time

import pytest
from support.faults import programs_in

pytestmark = pytest.mark.faults


def wait_for_checkpoint(trial, job, pids, *, limit_s=120):
    """Wait until the job has written a checkpoint. It is slowed down: a fast machine finishes it within seconds."""
    end = time.monotonic() + limit_s
    while not (job.where / 'checkpoint.safetensors').exists():
        assert time.monotonic() < end, f'{job.where}: there is no checkpoint after {limit_s} s'
        for number, seconds in ((signal.SIGSTOP, 0.4), (signal.SIGCONT, 0.1)):
            trial.kill(*pids, number=number)
            time.sleep(seconds)


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_killed_program_is_run_again_or_continues(laboratory, number):
    with laboratory.campaign() as trials:
        for phase, program in (('labelling', 'pw.x'), ('training', 'anial-worker'), ('sampling', 'anial-worker')):
            with trials.trial(f'{number.name} of {program}', phase) as trial:
                job = trial.wait_for(phase)
                pids = programs_in(job.where, program)
                assert pids
                if program == 'anial-worker':
                    wait_for_checkpoint(trial, job, pids)
                trial.kill(*pids, number=number)
                trial.restored(job)
                trial.wait_recovered()
                if program == 'anial-worker':
                    works = [process for process in trial.look() if process.work == job.work]
                    assert [process.exit_status for process in works] == [400, 0]
                    assert works[0].pk == job.pk


def remove(folder):
    """Remove a folder into which a program is writing."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def test_a_work_directory_that_vanishes_is_made_again(laboratory):
    with laboratory.campaign() as trials:
        for phase, program in (('labelling', 'pw.x'), ('training', 'anial-worker')):
            with trials.trial(f'work directory of {program} deleted', phase) as trial:
                job = trial.wait_for(phase)
                remove(job.where)
                trial.restored(job)


CUT = """
size=$(stat -c %s aiida.out 2>/dev/null || stat -c %s out/pwscf.out)
truncate -s $((size / 2)) aiida.out
"""
NAN = """
sed -i '/force =/s/-\\?[0-9]\\+\\.[0-9]\\+$/            NaN/' aiida.out
sed -i '/<forces/,/<\\/forces>/s/-\\?[0-9]\\.[0-9]\\+[eE][-+][0-9]\\+/NaN/' out/aiida.save/data-file-schema.xml
"""


@pytest.mark.parametrize(('fault', 'script'), [('truncated output of pw.x', CUT), ('NaN in a force', NAN)])
def test_a_damaged_output_is_calculated_again(laboratory, fault, script):
    with laboratory.trial(fault, 'parsing') as trial:
        job = trial.wait_for('labelling')
        laboratory.damage.write_text(script)
        trial.wait(lambda _: not laboratory.damage.exists(), interval_s=0.05)
        trial.restored(job)
