"""A campaign through SSH and Slurm survives the end of its jobs and the killing of another campaign."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiida_anial.potential.potential import write_potential

pytestmark = pytest.mark.scheduler

BESIDE = Path(__file__).parent

# A job of anial-worker stops 10 s before its limit of 26 s, pw.x half a second before its limit of 10 s.
WORKER_SLEEP_S, PW_SLEEP_S = 17, 10

N_CORES = min(2, os.cpu_count() or 1)
N_INITIAL = 8
# Requested memory in MiB and cores, by kind of job.
ASKED = {'PwCalculation': (512, 1), 'TrainEnsembleCalculation': (896, 1), 'SampleCalculation': (768, N_CORES)}


def job(kind, comment, **settings):
    """Return settings of one kind of job, with a comment by which Slurm lists the jobs."""
    memory, cores = ASKED[kind]
    lines = [f'#SBATCH --comment={comment}']
    return {
        'max_memory_kb': 1024 * memory,
        'num_cores_per_mpiproc': cores,
        'custom_scheduler_commands': lines,
        **settings,
    }


QE = {'ecutwfc_ry': 12, 'ecutrho_ry': 48, 'kpoints_distance_per_angstrom': 0.8}
LOOP = {
    'campaign': {'n_initial_cells': N_INITIAL, 'max_iterations': 1, 'n_trajectories': [2, 2], 'n_cycles': 1},
    'cells': {'families': [{'edges_angstrom': [4.0, 4.4], 'n_atoms': [3, 4]}]},
    'label': {'labeller': 'qe', 'qe': {**QE, 'job': job('PwCalculation', 'label')}},
    'training': {'job': job('TrainEnsembleCalculation', 'loop')},
    'sampling': {'job': job('SampleCalculation', 'loop')},
}
# A campaign with slow labels, which is killed.
VICTIM = {**LOOP, 'label': {'labeller': 'qe', 'qe': {**QE, 'kpoints_distance_per_angstrom': 0.04}}}
VICTIM['label']['qe']['job'] = job('PwCalculation', 'victim', max_wallclock_seconds=3600)


@dataclass(frozen=True)
class Story:
    """The final state of the processes, and the ids of the jobs that were stopped."""

    processes: dict[str, dict[str, Any]]
    stopped: dict[str, list[str]]
    status: dict[str, Any]

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """Return the jobs of the process ``name``."""
        return self.processes[name]['jobs']


@pytest.fixture(scope='module')
def submitted(shell, campaign_overrides, make_labelled, make_ensemble, tmp_path_factory) -> dict[str, int]:
    """The pks of two campaigns, a training, a sampling and a slow label, by name."""
    folder = tmp_path_factory.mktemp('inputs')
    make_labelled(24).write(folder / 'labelled.safetensors')
    write_potential(folder / 'ensemble.safetensors', make_ensemble())
    pks = {}
    codes = ('--pw-code', 'pw@cluster', '--worker-code', 'anial-worker@cluster')
    for name, changes in (('campaign', LOOP), ('victim', VICTIM)):
        path = folder / f'{name}.yaml'
        path.write_text(yaml.safe_dump(campaign_overrides(**changes)))
        pks[name] = int(shell.anial('submit', path, '--protocol', 'demo', *codes, '--pk-only'))
    return pks | shell.ask(BESIDE / 'submit.py', folder)


@pytest.fixture(scope='module')
def story(shell, slurm, submitted) -> Story:
    """Stop jobs in several ways at the same time, and return the final state of all processes."""

    def stop_twice(name, seen, seen_again):
        """Let a job of anial-worker reach its time limit, and cancel the job that continues it."""
        first = slurm.wait(name, lambda job: re.search(seen, job.says('worker.out')))
        slurm.sleep(first, WORKER_SLEEP_S)
        second = slurm.wait(name, lambda job: re.search(seen_again, job.says('worker.out')), without=[first.id])
        slurm.run('scancel', second.id)
        return [first.id, second.id]

    def stop_pw():
        job = slurm.wait('slow', lambda job: 'iteration #  2' in job.says('aiida.out'))
        slurm.sleep(job, PW_SLEEP_S)
        return [job.id]

    def cancel_label():
        job = slurm.wait('label', lambda job: True)
        slurm.run('scancel', job.id)
        return [job.id]

    def kill_victim():
        slurm.wait('victim', lambda job: job.state == 'RUNNING')
        jobs = [job.id for job in slurm.jobs('victim')]
        shell.verdi('process', 'kill', submitted['victim'], check=False)
        shell.wait(lambda: not slurm.jobs('victim'), limit_s=60)
        return jobs

    with ThreadPoolExecutor() as pool:
        done = {
            'train': pool.submit(stop_twice, 'train', r'step [1-9]\d+ of', r'continuing from.*\n.*step'),
            'sample': pool.submit(stop_twice, 'sample', 'trajectory 0 ended', 'continuing'),
            'slow': pool.submit(stop_pw),
            'campaign': pool.submit(cancel_label),
            'victim': pool.submit(kill_victim),
        }
    stopped = {name: future.result() for name, future in done.items()}
    shell.anial('watch', submitted['campaign'])
    look = (BESIDE / 'look.py', *submitted.values())
    found = shell.wait(
        lambda: (found := shell.ask(*look)) and not any(process['n_active'] for process in found) and found,
        limit_s=300,
    )
    status = json.loads(shell.anial('status', submitted['campaign'], '--json'))
    return Story(dict(zip(submitted, found, strict=True)), stopped, status)


def test_the_campaign_succeeds_while_another_one_is_killed(story):
    assert story.processes['campaign']['exit_status'] == 0
    assert story.status['n_labels'] == sum(row['n_labels'] for row in story.status['iterations']) >= N_INITIAL + 2
    assert story.status['n_rejected'] == 0
    assert [row['index'] for row in story.status['iterations']] == [0, 1]


def test_every_job_ran_in_slurm_as_the_other_user_with_what_its_kind_asks_for(story, slurm, user, work):
    completed = slurm.completed()
    kinds = set()
    for job in story.jobs('campaign'):
        seen = completed[job['id']]
        assert seen['UserId'] == f'{user.pw_name}({user.pw_uid})'
        assert Path(seen['WorkDir']) == Path(job['folder'])
        assert work in Path(job['folder']).parents
        if job['label'] in ASKED:
            kinds.add(job['label'])
            memory, cores = ASKED[job['label']]
            assert seen['Tres'].startswith(f'cpu={cores},mem={memory}M,')
    assert kinds == set(ASKED)


def test_the_jobs_run_as_another_user_if_one_can_be_created(user, work):
    if os.getuid() == 0:
        assert user.pw_uid != 0
        assert Path(user.pw_dir) != Path.home()
    assert Path(user.pw_dir) in work.parents
    assert work.stat().st_uid == user.pw_uid


def test_the_work_directories_of_labels_trainings_and_dynamics_are_cleaned(story):
    jobs = [job for job in story.jobs('campaign') if job['label'] in ASKED]
    assert [job for job in jobs if not job['cleaned'] or Path(job['folder']).exists()] == []


def test_without_ssh_the_jobs_belong_to_the_user_who_runs_the_daemon(story, slurm):
    (job,) = story.jobs('here')
    assert job['exit_status'] == 0
    assert slurm.completed()[job['id']]['UserId'].endswith(f'({os.getuid()})')


@pytest.mark.parametrize('name', ['train', 'sample'])
def test_jobs_that_stop_before_their_limit_or_are_cancelled_continue_from_their_checkpoints(story, slurm, name):
    jobs = {job['id']: job for job in story.jobs(name)}
    completed = slurm.completed()
    by_itself, by_slurm = (jobs[one] for one in story.stopped[name])
    assert [completed[job['id']]['JobState'] for job in (by_itself, by_slurm)] == ['COMPLETED', 'CANCELLED']
    for job in (by_itself, by_slurm):
        # anial-worker had the time for an orderly stop, also after the signal from Slurm.
        assert job['exit_status'] == 400
        assert job['output']['status'] == 'interrupted'
    chain = story.jobs(name)
    assert chain[-1]['exit_status'] == 0
    assert all(later['checkpoint_of'] == earlier['pk'] for earlier, later in pairwise(chain[chain.index(by_itself) :]))


@pytest.mark.parametrize('name', ['train', 'sample'])
def test_an_interrupted_job_gives_the_same_bits(story, name):
    whole, broken = story.processes[f'whole {name}'], story.processes[name]
    assert len(whole['jobs']) == 1 < len(broken['jobs'])
    assert whole['exit_status'] == broken['exit_status'] == 0
    assert whole['hashes'] == broken['hashes'] != {}


def test_a_label_that_reaches_its_time_limit_continues_and_reports_it(story):
    jobs = {job['id']: job for job in story.jobs('slow')}
    assert jobs[story.stopped['slow'][0]]['exit_status'] == 400
    assert story.processes['slow']['exit_status'] == 0
    assert story.processes['slow']['rejected'] == {}
    reports = story.processes['slow']['reports']
    assert any('ran out of walltime' in line for line in reports)
    assert any('restarting in full' in line for line in reports)


def test_a_label_that_slurm_cancels_is_launched_once_more(story, slurm):
    (cancelled,) = story.stopped['campaign']
    assert slurm.completed()[cancelled]['JobState'] == 'CANCELLED'
    assert any('was cut short' in line for line in story.processes['campaign']['reports'])


def test_killing_a_campaign_ends_only_its_own_children_and_jobs(story, slurm):
    victim = story.processes['victim']
    assert victim['state'] == 'killed'
    completed = slurm.completed()
    assert story.stopped['victim']
    assert {completed[one]['JobState'] for one in story.stopped['victim']} == {'CANCELLED'}
    others = [job['id'] for name, process in story.processes.items() if name != 'victim' for job in process['jobs']]
    cancelled = {one for one in others if completed[one]['JobState'] == 'CANCELLED'}
    assert cancelled == {story.stopped[name][-1] for name in ('train', 'sample', 'campaign')}
