"""A campaign survives the death of its daemon worker and, once it is killed itself, another campaign continues it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.daemon, pytest.mark.faults]

BESIDE = Path(__file__).parent

# Long enough to be killed before it ends.
TRAINING = {'max_steps': 30000, 'batch_size': 8, 'evaluation_interval': 10}
STEPS_BEFORE_DEATH = 30

SHORT = {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10}


def step_of(job):
    """Return the last step that a training has printed."""
    path = Path(job['folder'] or '/nowhere') / 'worker.out'
    steps = re.findall(r'step (\d+) of', path.read_text()) if path.exists() else []
    return int(steps[-1]) if steps else 0


def test_a_killed_campaign_is_continued_from_its_checkpoint(shell, campaign_overrides, tmp_path):
    changes = {'campaign': {'max_iterations': 1}, 'training': {'initial': TRAINING, 'retrain': SHORT}}
    overrides = tmp_path / 'overrides.yaml'
    overrides.write_text(yaml.safe_dump(campaign_overrides(**changes)))
    submit = ('submit', '--pk-only')
    pk = int(shell.anial(*submit, overrides, '--protocol', 'demo'))

    def training():
        (found,) = shell.ask(BESIDE / 'look_at_jobs.py', pk)
        jobs = [job for job in found['jobs'] if job['label'] == 'TrainEnsembleCalculation']
        return next((job for job in jobs if step_of(job) >= STEPS_BEFORE_DEATH), None)

    job = shell.wait(training, limit_s=180)
    assert job['active']
    refused = shell.anial('submit', '--continue-from', pk, check=False)
    assert 'Submitted' not in refused

    workers = shell.workers()
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    shell.verdi('daemon', 'restart')

    def killed():
        # A request is lost if the new daemon worker has not loaded the campaign yet, so it is repeated.
        shell.verdi('process', 'kill', pk, check=False)
        return shell.ask(BESIDE / 'look_at_jobs.py', pk)[0]['n_active'] == 0

    shell.wait(killed, limit_s=120)
    assert shell.ask(BESIDE / 'look_at_jobs.py', pk)[0]['state'] == 'killed'

    again = int(shell.anial(*submit, '--continue-from', pk))
    shell.anial('watch', again)
    before, after = shell.ask(BESIDE / 'look_at_jobs.py', pk, again)
    assert after['exit_status'] == 0
    assert after['continues'] == [before['uuid']]
    assert after['shards'] == ['shard_000', 'shard_001_cycle_00', 'shard_001_cycle_01']
    paid = Counter(job['label'] for found in (before, after) for job in found['jobs'] if job['ok'])
    assert paid == {
        'EvaluateCalculation': 3,
        'SampleCalculation': 2,
        'TrainEnsembleCalculation': 2,
        'ValidateCalculation': 1,
    }
    trainings = [job for job in after['jobs'] if job['label'] == 'TrainEnsembleCalculation']
    assert sum(job['from_checkpoint'] for job in trainings) == 1
    status = json.loads(shell.anial('status', again, '--json'))
    assert status['n_labels_taken_over'] == 12
    assert [row['index'] for row in status['iterations']] == [0, 1]
