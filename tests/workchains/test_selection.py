"""Campaigns whose labels are drawn without regard to disagreement."""

from __future__ import annotations

import pytest

from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs


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
    (iteration,) = [child for child in campaign.called if child.process_label == 'AlIterationWorkChain']
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
