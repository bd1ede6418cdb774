"""Campaigns whose labels are chosen by something else than disagreement."""

from __future__ import annotations

import pytest

from aiida_anial.cli.campaign_tables import print_campaign
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_status import campaign_status


def iterations(campaign):
    found = [child for child in campaign.called if child.process_label == 'AlIterationWorkChain']
    return sorted(found, key=lambda node: node.pk)


@pytest.fixture(scope='module')
def drawn(run_all, worker_code, campaign_overrides):
    """One campaign for each rule, with thresholds that would stop all trajectories at once."""
    found = {}
    for selection in ('thermal', 'random'):
        overrides = campaign_overrides(
            campaign={'max_iterations': 1, 'label_completed_fraction': 0.0},
            thresholds={'mode': 'fixed', 'energy_ev_per_sqrt_atom': 1e-9},
            sampling={'dynamics': {'selection': selection}},
        )
        found[selection] = campaign_builder(campaign_inputs('demo', overrides), worker_code=worker_code)
    return dict(zip(found, run_all(*found.values()), strict=True))


@pytest.mark.parametrize('selection', ['thermal', 'random'])
def test_every_candidate_is_labelled_and_says_where_it_comes_from(drawn, selection):
    campaign = drawn[selection]
    assert campaign.is_finished_ok, campaign.exit_message
    (iteration,) = iterations(campaign)
    summary = iteration.outputs.summary.get_dict()
    assert summary['stop_reasons'] == {'drawn': 4}
    assert (summary['n_stopped'], summary['n_unphysical'], summary['n_labels']) == (0, 0, 4)
    assert not summary['converged']
    origins = [shard.base.attributes.get('origins') for shard in iteration.outputs.shards.values()]
    assert origins == [{selection: 2}] * 2


def test_random_candidates_are_the_initial_cells(drawn):
    for node in drawn['random'].called_descendants:
        if node.process_label == 'SampleCalculation':
            times = [trajectory.get_array('times') for trajectory in node.outputs.trajectories.values()]
            assert [time.tolist() for time in times] == [[0.0]] * len(node.inputs.cells)


@pytest.fixture(scope='module')
def compared(run_all, worker_code, campaign_overrides):
    """A campaign in which every environment is new, and every two candidates are duplicates."""
    overrides = campaign_overrides(
        campaign={'follow_yield': True},
        thresholds={'mode': 'fixed', 'energy_ev_per_sqrt_atom': 1e6, 'novelty': 1e-6},
        sampling={'dynamics': {'duplicate_novelty': 1e6}},
    )
    (node,) = run_all(campaign_builder(campaign_inputs('demo', overrides), worker_code=worker_code))
    assert node.is_finished_ok, node.exit_message
    return node


def test_new_environments_stop_trajectories_and_duplicates_are_not_labelled(compared):
    summary = iterations(compared)[0].outputs.summary.get_dict()
    assert summary['stop_reasons'] == {'novelty': 4}
    # One of two in each of the two cycles.
    assert (summary['n_duplicates'], summary['n_labels'], summary['n_rejected']) == (2, 2, 0)
    assert not summary['converged']


def test_novelty_is_measured_from_all_labels_so_far(compared):
    for iteration, n_labels in zip(iterations(compared), ([12], [1, 1, 12]), strict=True):
        jobs = [node for node in iteration.called_descendants if node.process_label == 'SampleCalculation']
        assert len(jobs) == 2
        for job in jobs:
            assert sorted(shard.n_configurations for shard in job.inputs.shards.values()) == n_labels


def test_an_iteration_that_labelled_few_is_followed_by_more_trajectories_of_the_same_length(compared):
    """Half of the four trajectories gave a label, and none reached t_max."""
    assert [node.inputs.n_trajectories.value for node in iterations(compared)] == [4, 8]
    first, second = (node.inputs.cycle__schedule_settings.get_dict() for node in iterations(compared))
    assert first == second


def test_status_says_how_many_duplicates_there_are(compared, campaigns, capsys):
    print_campaign(campaign_status(compared))
    assert 'dupli-' in capsys.readouterr().out
    print_campaign(campaign_status(campaigns['main']))
    assert 'dupli-' not in capsys.readouterr().out
