"""Thresholds, summaries and verdicts, against the rules worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.calcfunctions.extract_candidate import extract_candidate
from aiida_anial.calcfunctions.initial_thresholds import initial_thresholds
from aiida_anial.calcfunctions.next_thresholds import next_thresholds
from aiida_anial.calcfunctions.summarise_campaign import summarise_campaign
from aiida_anial.calcfunctions.summarise_iteration import summarise_iteration
from aiida_anial.data.dataset import DatasetData
from aiida_anial.protocols.protocol import campaign_inputs

ENERGY = 'energy_ev_per_sqrt_atom'
CONTROLLED = {'mode': 'controlled', 'initial_factor': 0.5, 'gain': 2.0, 'floor_ev_per_sqrt_atom': 0.01}


def linked(node) -> dict[str, int]:
    """Return the pks of the inputs of the calculation that made ``node``, by label."""
    links = node.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC)
    return {link.link_label: link.node.pk for link in links}


def first(rule: dict[str, Any], error: float | None) -> float:
    training = orm.Dict({'median_heldout_error_ev_per_sqrt_atom': error})
    return initial_thresholds(orm.Dict(rule), training)[ENERGY]


def following(rule: dict[str, Any], energy: float, stopped: int, trajectories: int) -> float:
    summary = orm.Dict({'n_trajectories': trajectories, 'n_stopped': stopped})
    return next_thresholds(orm.Dict(rule), orm.Dict({ENERGY: energy}), summary)[ENERGY]


@pytest.mark.parametrize(('error', 'expected'), [(0.4, 0.2), (0.02, 0.01), (0.001, 0.01), (1e6, 5e5)])
def test_the_first_threshold_is_a_multiple_of_the_held_out_error_but_never_below_the_floor(
    aiida_profile, error, expected
):
    assert first(CONTROLLED, error) == pytest.approx(expected)


def test_a_fixed_threshold_follows_nothing_and_no_floor(aiida_profile):
    rule = {'mode': 'fixed', ENERGY: 0.003, 'floor_ev_per_sqrt_atom': 0.01}
    assert first(rule, 0.4) == 0.003
    assert following(rule, 0.003, 10, 10) == 0.003


def test_without_a_held_out_error_the_given_threshold_is_the_first(aiida_profile):
    assert first({**CONTROLLED, 'initial_factor': 1.0, ENERGY: 0.07}, None) == pytest.approx(0.07)


@pytest.mark.parametrize(
    ('stopped', 'expected'),
    [(5, 0.1), (10, 0.1 * math.e), (0, 0.1 / math.e), (7, 0.1 * math.exp(0.4))],
)
def test_the_threshold_is_multiplied_by_exp_gain_times_what_stopped_too_much(aiida_profile, stopped, expected):
    assert following(CONTROLLED, 0.1, stopped, 10) == pytest.approx(expected, rel=1e-12)


CALIBRATED = {'mode': 'calibrated', 'energy_error_mev_per_atom': 2.0, 'force_error_ev_per_angstrom': 0.05}
TRAINING = {
    'mean_n_atoms': 16.0,
    'median_heldout_error_ev_per_sqrt_atom': 0.6745 * 0.02,
    'median_heldout_force_error_ev_per_angstrom': 0.2,
}
COUNTS = {'n_trajectories': 4, 'n_stopped': 4}


def calibrated(
    rule: dict[str, Any], training: dict[str, Any], factors: tuple[float, float], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    fresh = {'calibration': dict(zip(('energy_factor', 'force_factor'), factors, strict=True))}
    fresh['calibration'] |= {'energy_coverage': 0.7, 'force_coverage': 0.5}
    nodes = {'training': orm.Dict(training), 'fresh_errors': orm.Dict(fresh)}
    thresholds = orm.Dict(before or {ENERGY: 1.0})
    return next_thresholds(orm.Dict({**CALIBRATED, **rule}), thresholds, orm.Dict(COUNTS), **nodes).get_dict()


def test_calibrated_thresholds_stand_for_the_held_out_errors(aiida_profile):
    """20 meV/sqrt(atom) are 5 meV/atom with 16 atoms, and a disagreement of a half where errors are twice as large."""
    found = calibrated({}, TRAINING, (2.0, 4.0))
    assert found[ENERGY] == pytest.approx(0.01)
    assert found['energy_error_mev_per_atom'] == pytest.approx(5.0)
    assert found['force_mean_ev_per_angstrom'] == pytest.approx(0.05)
    assert found['force_error_ev_per_angstrom'] == pytest.approx(0.2)
    assert calibrated({'error_factor': 0.5}, TRAINING, (2.0, 4.0))[ENERGY] == pytest.approx(0.005)


def test_calibrated_thresholds_follow_half_of_a_change(aiida_profile):
    """Factors of 1 before, and of 4 and 9 on the fresh labels, give 2 and 3."""
    before = initial_thresholds(orm.Dict(CALIBRATED), orm.Dict(TRAINING)).get_dict()
    found = calibrated({}, TRAINING, (4.0, 9.0), before)
    assert found[ENERGY] == pytest.approx(0.02 / 2)
    assert found['force_mean_ev_per_angstrom'] == pytest.approx(0.2 / 3)
    again = calibrated({}, TRAINING, (2.0, 3.0), found)
    assert again == pytest.approx(found, nan_ok=True)


def test_calibrated_thresholds_do_not_fall_below_what_the_user_wants(aiida_profile):
    exact = {**TRAINING, 'median_heldout_error_ev_per_sqrt_atom': 1e-4}
    found = calibrated({}, {**exact, 'median_heldout_force_error_ev_per_angstrom': 0.01}, (2.0, 4.0))
    assert found['energy_error_mev_per_atom'] == pytest.approx(2.0)
    assert found[ENERGY] == pytest.approx(2.0 / 1000 * 4 / 2)
    assert found['force_mean_ev_per_angstrom'] == pytest.approx(0.05 / 4)
    assert summarise_iteration(orm.Dict(CALIBRATED), orm.Dict(found), tables={'a': table(DONE)})['converged'] is True
    early = orm.Dict(calibrated({}, exact, (2.0, 4.0)))
    assert summarise_iteration(orm.Dict(CALIBRATED), early, tables={'a': table(DONE)})['converged'] is False


def test_the_first_calibrated_threshold_takes_disagreement_for_error(aiida_profile):
    found = initial_thresholds(orm.Dict(CALIBRATED), orm.Dict(TRAINING)).get_dict()
    assert (found[ENERGY], found['force_mean_ev_per_angstrom']) == pytest.approx((0.02, 0.2))


def test_without_fresh_labels_calibrated_thresholds_stay(aiida_profile):
    before = calibrated({}, TRAINING, (2.0, 4.0))
    assert next_thresholds(orm.Dict(CALIBRATED), orm.Dict(before), orm.Dict(COUNTS)).get_dict() == before


def test_the_threshold_does_not_fall_below_the_floor(aiida_profile):
    assert following(CONTROLLED, 0.015, 0, 10) == 0.01


def test_two_iterations_that_stop_as_much_above_as_below_the_target_cancel(aiida_profile):
    once = following(CONTROLLED, 0.2, 8, 10)
    assert following(CONTROLLED, once, 2, 10) == pytest.approx(0.2, rel=1e-12)


def test_thresholds_of_the_forces_are_those_of_the_rule(aiida_profile):
    rule = orm.Dict({**CONTROLLED, 'force_max_ev_per_angstrom': 0.9})
    thresholds = initial_thresholds(rule, orm.Dict({'median_heldout_error_ev_per_sqrt_atom': 1.0}))
    assert thresholds['force_max_ev_per_angstrom'] == 0.9
    assert thresholds['force_mean_ev_per_angstrom'] is None
    later = next_thresholds(rule, thresholds, orm.Dict({'n_trajectories': 1, 'n_stopped': 1}))
    assert later['force_max_ev_per_angstrom'] == 0.9
    assert linked(later)['thresholds'] == thresholds.pk
    assert linked(later)['rule'] == rule.pk


def table(*rows: tuple[str, float]) -> orm.Dict:
    return orm.Dict({'trajectories': [{'stop_reason': reason, 'stop_time_ps': time} for reason, time in rows]})


def summarise(rule: dict[str, Any], threshold: float, tables: dict[str, orm.Dict], **nodes: Any) -> orm.Dict:
    return summarise_iteration(orm.Dict(rule), orm.Dict({ENERGY: threshold}), tables=tables, **nodes)


STOPPED, DONE, BROKEN = ('energy_disagreement', 0.5), ('completed', 2.0), ('close_contact', 0.1)


def test_counts_and_median_are_over_all_cycles(aiida_profile, make_labelled):
    tables = {
        'cycle_00': table(STOPPED, DONE, BROKEN),
        'cycle_01': table(('force_disagreement_max', 0.7), ('force_disagreement_mean', 0.9), ('temperature', 0.2)),
    }
    summary = summarise(
        {'mode': 'fixed'},
        0.1,
        tables,
        rejected={'cycle_00': orm.Dict({'a': 'x'}), 'cycle_01': orm.Dict({'b': 'y', 'c': 'z'})},
        datasets={'cycle_01': DatasetData(make_labelled(3)).store()},
    ).get_dict()
    assert (summary['n_trajectories'], summary['n_stopped'], summary['n_unphysical']) == (6, 3, 2)
    assert summary['stop_reasons']['completed'] == 1
    assert sum(summary['stop_reasons'].values()) == 6
    assert summary['median_time_ps'] == pytest.approx((0.5 + 0.7) / 2)
    assert (summary['n_labels'], summary['n_rejected']) == (3, 3)
    assert summary['converged'] is False


def test_an_iteration_without_candidates_has_no_labels(aiida_profile):
    summary = summarise({'mode': 'fixed'}, 0.1, {'cycle_00': table(DONE)}).get_dict()
    assert (summary['n_labels'], summary['n_rejected'], summary['n_stopped']) == (0, 0, 0)


@pytest.mark.parametrize(
    ('rows', 'expected'),
    [
        ((DONE, DONE, STOPPED), True),
        ((DONE, STOPPED), False),
        ((DONE, DONE, STOPPED, STOPPED), False),
        ((DONE, DONE, DONE, STOPPED, BROKEN), True),
        ((DONE, DONE, STOPPED, BROKEN, BROKEN), False),
        ((DONE,), True),
    ],
)
def test_it_has_converged_when_more_than_half_of_the_trajectories_reached_their_end(aiida_profile, rows, expected):
    assert summarise({'mode': 'fixed'}, 0.1, {'cycle_00': table(*rows)})['converged'] is expected


@pytest.mark.parametrize(('threshold', 'expected'), [(0.01, True), (0.0100001, False), (5.0, False)])
def test_a_controlled_threshold_must_have_come_down_to_its_floor(aiida_profile, threshold, expected):
    assert summarise(CONTROLLED, threshold, {'cycle_00': table(DONE)})['converged'] is expected


def test_the_threshold_that_was_held_at_the_floor_counts_as_there(aiida_profile):
    energy = following(CONTROLLED, 0.0101, 0, 10)
    assert summarise(CONTROLLED, energy, {'cycle_00': table(DONE)})['converged'] is True


def test_a_summary_is_linked_to_every_table_and_shard(aiida_profile, make_labelled):
    tables = {'cycle_00': table(DONE), 'cycle_01': table(STOPPED)}
    shard = DatasetData(make_labelled(1)).store()
    labels = linked(summarise({'mode': 'fixed'}, 0.1, tables, datasets={'cycle_01': shard}))
    assert labels['tables__cycle_01'] == tables['cycle_01'].pk
    assert labels['datasets__cycle_01'] == shard.pk


def test_a_campaign_adds_up(aiida_profile, make_labelled):
    shards = {f'shard_{n:03d}': DatasetData(make_labelled(n, seed=n)).store() for n in (1, 2)}
    iterations = {f'iteration_{n:03d}': orm.Dict({'n_trajectories': 10 * n}) for n in (1, 2)}
    test = {'energy_rmse_mev_per_atom': 3.0}
    summary = summarise_campaign(
        orm.Str('iterations used up'), orm.Dict({'test': test}), shards=shards, iterations=iterations
    )
    values = summary.get_dict()
    assert (values['n_labels'], values['n_atoms'], values['n_trajectories'], values['n_iterations']) == (3, 12, 30, 2)
    assert values['test'] == test
    assert values['converged'] is False
    assert linked(summary)['shards__shard_002'] == shards['shard_002'].pk


def test_a_campaign_tells_what_was_unusual_in_its_settings(aiida_profile, make_labelled):
    settings = campaign_inputs('demo', {'sampling': {'dynamics': {'time_step_fs': 5.0}}})
    shards = {'shard_000': DatasetData(make_labelled(1)).store()}
    verdict, training = orm.Str('failed'), orm.Dict({})
    summary = summarise_campaign(verdict, training, orm.Dict(settings.to_dict()), shards=shards, iterations={})
    (line,) = summary['unusual']
    assert line.startswith('sampling.dynamics.time_step_fs: 5 is unusual')
    assert summarise_campaign(verdict, training, shards=shards, iterations={})['unusual'] == []


def test_a_campaign_without_iterations_has_a_summary_too(aiida_profile, make_labelled):
    shards = {'shard_000': DatasetData(make_labelled(1)).store()}
    values = summarise_campaign(orm.Str('failed'), orm.Dict({}), shards=shards, iterations={}).get_dict()
    assert (values['n_iterations'], values['n_trajectories'], values['test']) == (0, 0, None)


def test_only_the_verdict_converged_is_convergence(aiida_profile, make_labelled):
    shards = {'shard_000': DatasetData(make_labelled(1)).store()}
    values = summarise_campaign(orm.Str('converged'), orm.Dict({}), shards=shards, iterations={}).get_dict()
    assert values['converged'] is True


@pytest.fixture
def trajectory(make_cells) -> orm.TrajectoryData:
    """Three frames of four atoms, the second of which is the candidate."""
    positions, lattice = make_cells(1).one(0)
    node = orm.TrajectoryData()
    node.set_trajectory(
        symbols=['Al'] * 4,
        positions=np.stack([positions + 0.1 * frame for frame in range(3)]),
        stepids=np.arange(3),
        cells=np.stack([lattice] * 3),
        times=np.arange(3.0),
        pbc=(True, True, True),
    )
    node.base.attributes.set('candidate_frame', 1)
    return node.store()


def test_the_candidate_is_the_marked_frame_and_linked_to_the_trajectory(aiida_profile, trajectory):
    candidate = extract_candidate(trajectory)
    found = [site.position for site in candidate.sites]
    np.testing.assert_allclose(found, trajectory.get_array('positions')[1], atol=1e-6)
    np.testing.assert_allclose(candidate.cell, trajectory.get_array('cells')[1], atol=1e-6)
    assert candidate.pbc == (True, True, True)
    assert candidate.get_symbols_set() == {'Al'}
    assert linked(candidate) == {'trajectory': trajectory.pk}


def test_the_candidate_of_an_alloy_has_the_symbols_of_its_trajectory(aiida_profile):
    symbols, positions = ['Al', 'Ni', 'Al', 'Ni'], np.arange(12.0).reshape(1, 4, 3)
    node = orm.TrajectoryData()
    node.set_trajectory(symbols=symbols, positions=positions, cells=20 * np.eye(3)[None], pbc=(True,) * 3)
    node.base.attributes.set('candidate_frame', 0)
    assert [site.kind_name for site in extract_candidate(node.store()).sites] == symbols
