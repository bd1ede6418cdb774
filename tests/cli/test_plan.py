"""``aiida-anial plan``, ``status`` and ``watch``: how long a campaign takes, before and after."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from aiida import orm

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.cli.plan_speed import _settings
from aiida_anial.cli.watching import loop
from aiida_anial.common.errors import AnialError
from aiida_anial.labellers import trial
from aiida_anial.labellers.pw_trial import _rate
from aiida_anial.labellers.trial import check_is_here
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_speed import campaign_speed
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.campaign_times import LABELS, calculations_of


def planned(invoke, *arguments):
    result = invoke('plan', *arguments, '--json')
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_campaign_of_the_profile_tells_how_fast_the_next_one_is(
    invoke, write, campaigns, campaign_overrides, count_nodes
):
    before = count_nodes()
    plan = planned(invoke, write(campaign_overrides()), '--protocol', 'demo')
    known = [campaign.pk for campaign in campaigns.values()]
    assert any(one.startswith(f'the speed of campaign {pk},') for one in plan['assumptions'] for pk in known)
    assert plan['n_labels'] == 12 + 4 + 4
    assert plan['total_hours'] == pytest.approx(sum(plan['hours'].values()))
    assert [row['n_labels'] for row in plan['iterations']] == [12, 16, 20]
    assert count_nodes() == before


def test_settings_are_recognised_when_they_have_been_stored(aiida_profile):
    inputs = campaign_inputs('laptop')
    again = CampaignInputs.parse(orm.Dict(inputs.to_dict()).store().get_dict())
    assert again.model != inputs.model
    assert _settings(again) == _settings(inputs)


def test_other_cells_are_tried_on_the_spot_and_nothing_is_stored(
    invoke, write, campaign_overrides, count_nodes, worker_code
):
    over = campaign_overrides(cells={'families': [{'edges_angstrom': [4.5, 5.0], 'n_atoms': [4, 5]}]})
    before = count_nodes()
    plan = planned(invoke, write(over), '--protocol', 'demo')
    assert any('labels as timed now' in one for one in plan['assumptions'])
    assert plan['hours']['labels'] > 0
    assert count_nodes() == before


def test_pw_is_tried_on_cells_of_different_cost(invoke, write, campaign_overrides, count_nodes, pw_code, pseudo):
    """Real ``pw.x``, at settings so coarse that it takes a second or two."""
    cells = {'families': [{'edges_angstrom': [4.0, 4.6], 'n_atoms': [2, 4]}], 'density_g_per_cm3': [1.0, 3.0]}
    qe = {'kpoints_mesh': [1, 1, 1], 'kpoints_distance_per_angstrom': None, 'kpoints_per_reciprocal_atom': None}
    over = campaign_overrides(cells=cells, label={'labeller': 'qe', 'qe': qe})
    before = count_nodes()
    plan = planned(invoke, write(over), '--protocol', 'demo')
    assert any('labels as timed now' in one for one in plan['assumptions']), plan
    assert plan['memory_mib'] > 0
    assert count_nodes() == before


def test_a_label_that_takes_longer_makes_the_campaign_longer(invoke, write, campaign_overrides, pw_code, pseudo):
    over = write(campaign_overrides(label={'labeller': 'qe'}))
    short, long = (planned(invoke, over, '--protocol', 'demo', '--label-seconds', s) for s in (100, 200))
    assert long['hours']['labels'] == pytest.approx(2 * short['hours']['labels'], rel=0.05)
    assert long['n_labels'] == short['n_labels']


def test_the_plan_in_words(invoke, write, campaigns, campaign_overrides):
    output = invoke('plan', write(campaign_overrides()), '--protocol', 'demo').output
    assert '20 labels in ' in output
    assert 'iteration  2 ends after' in output
    assert 'Disk: about 2 MiB. Memory: at most ' in output
    assert 'Assumed: ' in output


def test_labels_of_another_machine_cannot_be_tried(aiida_profile):
    remote = orm.Computer('remote', 'remote', transport_type='core.ssh', scheduler_type='core.slurm').store()
    code = orm.InstalledCode(label='pw', computer=remote, filepath_executable='/bin/pw.x').store()
    with pytest.raises(Exception, match='--label-seconds: pw@remote does not run on this machine'):
        check_is_here(code)


def test_a_trial_that_takes_too_long_is_ended_with_its_program(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, 'TRIAL_LIMIT_S', 1)
    (tmp_path / '_aiidasubmit.sh').write_text('sleep 600 & echo $! > pid\nwait\n')
    with pytest.raises(AnialError, match='--label-seconds: a label did not end in the 1 s of a trial'):
        trial.run_script(tmp_path)
    pid = int((tmp_path / 'pid').read_text())
    end = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid):
    """Return whether a process runs; what has ended may wait for its new parent to take notice."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_labels_cost_in_proportion_to_their_work():
    work = np.array([1.0, 10.0, 100.0, 1000.0])
    assert _rate(work, {}) == 0
    assert _rate(work, {0: (2.0, 0.0), 2: (20.0, 0.0)}) == pytest.approx(22 / 101)


def test_the_speed_of_a_campaign_is_that_of_its_jobs(campaigns):
    campaign = campaigns['main']
    calculations = calculations_of(campaign)
    speed = campaign_speed(campaign, calculations)
    labels = [one for one in calculations if one.kind == LABELS]
    # Three jobs of all cells each, by EMT.
    assert sum(one.n_cells for one in labels) == 12 + 4 + 4
    longest = max(one.ended for one in labels) - min(one.begun for one in labels)
    assert 0 < speed.label_s <= longest / 20
    assert speed.atom_step_s > 0
    assert speed.training_step_s > 0
    assert 0 < speed.job_s < 60


def test_the_pace_is_part_of_the_status(campaigns):
    campaign = campaigns['main']
    pace = campaign_status(campaign)['pace']
    assert 0 < pace['elapsed_s'] < 3600
    assert pace['labels_per_hour'] == pytest.approx(20 * 3600 / pace['elapsed_s'])
    assert pace['expected_end'] is None
    assert sum(pace['time_shares'].values()) == pytest.approx(1)
    assert {'labels', 'dynamics', 'training', 'validation'} <= set(pace['time_shares'])
    assert sum(pace['cores_busy'].values()) == pytest.approx(1)


def test_status_and_watch_print_the_pace(invoke, campaigns):
    for command in ('status', 'watch'):
        output = invoke(command, campaigns['main'].pk).output
        assert 'labels an hour' in output
        assert 'Time: ' in output


def test_watch_prints_the_pace_now_and_then(invoke, campaigns, monkeypatch):
    ended = iter([False, False, True])  # at the start, and in each round
    monkeypatch.setattr(loop, '_PACE_INTERVAL_S', 0)
    monkeypatch.setattr(type(campaigns['main']), 'is_terminated', property(lambda _: next(ended, True)))
    output = invoke('watch', campaigns['main'].pk, '--interval', 0.2).output
    assert output.count('labels an hour') == 2
