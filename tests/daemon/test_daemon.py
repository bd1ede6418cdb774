"""Tests that need a real daemon: labelling across a restart, and a campaign from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.daemon

BESIDE = Path(__file__).parent

N_CELLS = 8

DEMANDED = {'pk', 'uuid', 'process_state', 'exit_status', 'converged', 'n_labels', 'n_rejected', 'iterations'}
DEMANDED_BY_ITERATION = {
    *('index', 'pk', 'process_state', 'n_trajectories', 'n_stopped', 'median_time_ps', 'n_labels', 'n_rejected'),
    *('fresh_energy_rmse_mev_per_atom', 'fresh_force_rmse_ev_per_angstrom'),
    *('test_energy_rmse_mev_per_atom', 'test_force_rmse_ev_per_angstrom'),
}


def look_at(shell, pk):
    """Return the state and the results of a labelling."""
    (found,) = shell.ask(BESIDE / 'look_at_labels.py', pk)
    return found


def test_jobs_have_temporary_folders_of_their_own(shell):
    assert 'export TMPDIR="$PWD"' in shell.verdi('computer', 'show', 'localhost')


@pytest.mark.slow
def test_labels_survive_a_daemon_restart(shell):
    pk = shell.ask(BESIDE / 'submit_labels.py', N_CELLS)
    shell.wait(lambda: look_at(shell, pk)['n_ended'] >= 1, limit_s=240)
    shell.verdi('daemon', 'stop')
    # A stopping daemon may lose what it submits after its broker has gone; here, all active jobs are lost. If the
    # daemon stopped between two calculations, there is no active job.
    while not shell.ask(BESIDE / 'lose_tasks.py', pk):
        shell.verdi('daemon', 'start')
        shell.wait(lambda: (found := look_at(shell, pk))['n_jobs'] > found['n_ended'], limit_s=240)
        shell.verdi('daemon', 'stop')
    stopped = look_at(shell, pk)
    assert not stopped['is_terminated']
    shell.verdi('daemon', 'start')
    seen = shell.wait(lambda: (found := look_at(shell, pk))['is_terminated'] and found, limit_s=480)
    assert seen['exit_status'] == 0
    assert seen['rejected'] == {}
    # Every cell has its label, none was computed twice, and the limit on active calculations was kept.
    assert seen['n_jobs'] == N_CELLS
    assert sorted(seen['uuids']) == sorted(seen['jobs'])
    assert set(stopped['jobs']) <= set(seen['uuids'])
    assert seen['most_alive'] <= 2
    assert seen['files_left'] == []


def test_a_campaign_from_the_command_line(shell, campaign_overrides, tmp_path):
    overrides = tmp_path / 'overrides.yaml'
    overrides.write_text(yaml.safe_dump(campaign_overrides(campaign={'max_iterations': 1, 'n_cycles': 1})))
    assert 'missing' not in shell.anial('doctor')
    submit = ('submit', overrides, '--protocol', 'demo', '--pk-only')
    pk = shell.anial(*submit).strip()
    watched = shell.anial('watch', pk)
    assert f'Campaign {pk}: finished [0]' in watched.splitlines()[-1]
    status = json.loads(shell.anial('status', pk, '--json'))
    assert set(status) >= DEMANDED
    assert status['exit_status'] == 0
    assert [row['index'] for row in status['iterations']] == [0, 1]
    assert all(set(row) >= DEMANDED_BY_ITERATION for row in status['iterations'])
    assert status['n_labels'] == sum(row['n_labels'] for row in status['iterations']) > 12
    assert 'iteration' in shell.anial('status', pk)
