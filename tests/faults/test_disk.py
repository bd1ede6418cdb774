"""Full disks: that of the computer, of AiiDA's temporary files, and of its repository."""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults


def fill(folder: Path) -> Path:
    """Fill the disk of a folder, and return the file that takes the space."""
    path = folder / 'in-the-way'
    with path.open('wb', buffering=0) as stream:
        # Others write meanwhile: the space that is left cannot be asked for and then taken in one write.
        for size in (2**20, 2**12):
            with suppress(OSError):
                while stream.write(bytes(size)) == size:
                    pass
    return path


def resume(laboratory, trial):
    """Resume what has paused, as `status` says."""
    status = json.loads(laboratory.shell.anial('status', trial.pk, '--json'))
    assert status['paused']
    shown = laboratory.shell.anial('status', trial.pk)
    for row in status['paused']:
        # SQLite, which holds the index of the repository, words it differently.
        assert re.search('No space left on device|disk is full|disk I/O error', row['reason'])
        assert row['reason'] in shown
        assert row['command'] in shown
        assert row['command'] == f'verdi process play {row["pk"]}'
        laboratory.shell.verdi('process', 'play', row['pk'])


def wait_for_two_jobs(trial):
    """Wait until two calculations by pw.x run."""
    trial.wait(
        lambda found: sum(one.step == 'withscheduler' and not one.has_ended for one in found) == 2, interval_s=0.05
    )


def wait_until_nothing_moves(trial):
    """Wait until every job that has not ended is paused, or its caller is; return the first paused process."""
    first = trial.wait_paused()

    def nothing_moves(found):
        paused = [one.path for one in found if one.paused]
        jobs = [one for one in found if one.label == 'PwCalculation' and not one.has_ended]
        return all(any(job.path.startswith(path) for path in paused) for job in jobs)

    trial.wait(nothing_moves, limit_s=120)
    return first


@pytest.mark.parametrize('disk', ['.aiida/scratch'], indirect=True)
def test_a_full_disk_of_the_computer_holds_uploads_up(laboratory, disk):
    with laboratory.trial('disk of the computer full', 'uploading') as trial:
        filler = fill(disk)
        paused = wait_until_nothing_moves(trial)
        filler.unlink()
        trial.restored(paused)
        resume(laboratory, trial)


@pytest.mark.parametrize('disk', ['temporary'], indirect=True)
def test_a_full_temporary_disk_holds_what_comes_back(laboratory, disk):
    with laboratory.trial('disk of temporary files full', 'retrieving') as trial:
        wait_for_two_jobs(trial)
        filler = fill(disk)
        paused = wait_until_nothing_moves(trial)
        filler.unlink()
        trial.restored(paused)
        resume(laboratory, trial)


@pytest.mark.parametrize('disk', ['.aiida/repository/sqlite_dos_*/container'], indirect=True)
def test_a_full_repository_holds_jobs_and_work_chains(laboratory, disk):
    with laboratory.campaign() as trials:
        with trials.trial('repository full', 'storing what was retrieved') as trial:
            wait_for_two_jobs(trial)
            filler = fill(disk)
            paused = wait_until_nothing_moves(trial)
            filler.unlink()
            trial.restored(paused)
            resume(laboratory, trial)
        with trials.trial('repository full', 'storing what was parsed') as trial:
            (worker,) = laboratory.workers()
            job = trial.wait_for('parsing')
            # Stopped while the disk fills up: otherwise it would have stored its outputs by then.
            trial.kill(worker, number=signal.SIGSTOP)
            filler = fill(disk)
            trial.kill(worker, number=signal.SIGCONT)
            # Its caller, since the job itself has excepted.
            caller = str(Path(job.path).parent)
            paused = trial.wait(
                lambda found: next((one for one in found if one.paused and one.path == caller), None), limit_s=120
            )
            wait_until_nothing_moves(trial)
            filler.unlink()
            trial.restored(paused)
            resume(laboratory, trial)
        with trials.trial('repository full', 'storing the dataset') as trial:
            trial.wait(
                lambda found: sum(one.label == 'PwBaseWorkChain' and one.is_ok for one in found) == 4, interval_s=0.02
            )
            filler = fill(disk)
            paused = trial.wait_paused()
            assert paused.label == 'LabelWorkChain'
            filler.unlink()
            trial.restored(paused)
            resume(laboratory, trial)
