"""A campaign whose users say the errors at which trajectories stop."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import Any

import pytest

from aiida_anial.cli.campaign_tables import print_campaign
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.report.claims import Claims
from aiida_anial.report.sources import release_sources
from aiida_anial.training.calibration import Calibration, calibrate

GOALS = {'energy_error_mev_per_atom': 1e-3, 'force_error_ev_per_angstrom': 1e6}


@pytest.fixture(scope='module')
def campaign(run_all, worker_code, campaign_overrides) -> Any:
    """A campaign with two iterations, a goal for the energy that it misses, and one for the forces that it meets."""
    overrides = campaign_overrides(thresholds={'mode': 'calibrated', **GOALS}, model={'n_members': 5})
    (node,) = run_all(campaign_builder(campaign_inputs('demo', overrides), worker_code=worker_code))
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture(scope='module')
def iterations(campaign) -> list[Any]:
    """Its iterations."""
    found = [child for child in campaign.called if child.process_label == 'AlIterationWorkChain']
    return sorted(found, key=lambda node: node.pk)


def test_the_errors_on_the_fresh_labels_set_the_next_thresholds(iterations):
    first, second = iterations
    fresh = Calibration.from_summary(first.outputs.fresh_errors.get_dict())
    training, found = first.outputs.training.get_dict(), second.inputs.cycle.thresholds.get_dict()
    held_out = training['median_heldout_error_ev_per_sqrt_atom'] / 0.6745
    # The first thresholds take disagreement for the error in a cell of the mean size then.
    initial = first.inputs.cycle.thresholds.get_dict()
    claimed = initial['energy_error_mev_per_atom'] / 1e3 * math.sqrt(training['mean_n_atoms'])
    factor = math.sqrt(claimed / initial['energy_ev_per_sqrt_atom'] * fresh.energy_factor)
    assert found['energy_ev_per_sqrt_atom'] == pytest.approx(held_out / factor)
    assert found['energy_error_mev_per_atom'] == pytest.approx(1e3 * held_out / math.sqrt(training['mean_n_atoms']))
    assert found['force_error_ev_per_angstrom'] == GOALS['force_error_ev_per_angstrom']
    assert not second.outputs.summary['converged']


def test_the_claims_of_a_release_come_from_the_stored_errors(campaign, iterations):
    fresh = release_sources(campaign).fresh_errors
    assert sorted(fresh) == [1, 2]
    stored = Calibration.from_summary(iterations[0].outputs.fresh_errors.get_dict())
    # AiiDA rounds the last digits of a number in a Dict.
    assert astuple(calibrate(fresh[1])) == pytest.approx(astuple(stored))
    assert len(Claims.of(fresh)) == len(fresh[2]) > 0


def test_status_says_at_which_errors_trajectories_stop(campaign, capsys):
    status = campaign_status(campaign)
    goal = GOALS['force_error_ev_per_angstrom']
    assert [row['threshold_force_error_ev_per_angstrom'] for row in status['iterations']] == [None, goal, goal]
    print_campaign(status)
    assert 'stop at' in capsys.readouterr().out


def test_status_of_other_campaigns_has_no_such_column(campaigns, capsys):
    print_campaign(campaign_status(campaigns['main']))
    assert 'stop at' not in capsys.readouterr().out
