"""Every stop reason, provoked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.sampling.settings import SamplingSettings, Thresholds
from aiida_anial.sampling.stop_rules import Measurement, judge
from aiida_anial.sampling.trajectory import StopReason

SOUND = Measurement(
    time_ps=0.5,
    is_last=False,
    is_finite=True,
    temperature_k=300.0,
    closest_contact_angstrom=2.0,
    volume_ratio=1.0,
    energy_disagreement=0.01,
    force_disagreement_mean=0.1,
    force_disagreement_max=0.3,
)
THRESHOLDS = Thresholds(
    energy_ev_per_sqrt_atom=0.02, force_mean_ev_per_angstrom=0.2, force_max_ev_per_angstrom=0.5, novelty=2.0
)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({}, None),
        ({'is_last': True}, 'completed'),
        ({'energy_disagreement': 0.03}, 'energy_disagreement'),
        ({'energy_disagreement': 0.03, 'is_last': True}, 'energy_disagreement'),
        ({'energy_disagreement': 0.03, 'time_ps': 0.09}, None),
        ({'energy_disagreement': 0.03, 'time_ps': 0.1}, 'energy_disagreement'),
        ({'volume_ratio': 2.6}, 'volume'),
        ({'volume_ratio': 0.39, 'energy_disagreement': 0.03}, 'volume'),
        ({'volume_ratio': float('nan')}, 'volume'),
        ({'force_disagreement_mean': 0.21}, 'force_disagreement_mean'),
        ({'force_disagreement_max': 0.51}, 'force_disagreement_max'),
        ({'force_disagreement_max': 0.51, 'force_disagreement_mean': 0.21}, 'force_disagreement_max'),
        ({'force_disagreement_max': np.nan, 'force_disagreement_mean': np.nan}, None),
        ({'novelty': 2.1}, 'novelty'),
        ({'novelty': 2.1, 'time_ps': 0.09}, None),
        ({'novelty': np.nan}, None),
        ({'novelty': 2.1, 'energy_disagreement': 0.03}, 'energy_disagreement'),
        ({'closest_contact_angstrom': 1.3, 'energy_disagreement': 0.03}, 'close_contact'),
        ({'closest_contact_angstrom': 1.3, 'time_ps': 0.0}, 'close_contact'),
        ({'closest_contact_angstrom': np.inf}, None),
        ({'temperature_k': 30001, 'closest_contact_angstrom': 1.3}, 'temperature'),
        ({'is_finite': False, 'temperature_k': np.nan, 'energy_disagreement': np.nan}, 'not_finite'),
    ],
)
def test_order_of_the_rules(changes, reason):
    measured = replace(SOUND, **changes)
    assert judge(measured, settings=SamplingSettings(), thresholds=THRESHOLDS) == reason


@pytest.mark.parametrize('selection', ['thermal', 'random'])
def test_disagreement_stops_nothing_when_candidates_are_drawn(selection):
    settings = SamplingSettings(selection=selection)
    above = replace(SOUND, energy_disagreement=0.03)
    assert judge(above, settings=settings, thresholds=THRESHOLDS) is None
    assert judge(replace(above, is_last=True), settings=settings, thresholds=THRESHOLDS) == 'drawn'
    unphysical = replace(above, closest_contact_angstrom=1.3, is_last=True)
    assert judge(unphysical, settings=settings, thresholds=THRESHOLDS) == 'close_contact'


def test_no_force_threshold_no_force_rule():
    thresholds = Thresholds(energy_ev_per_sqrt_atom=0.02)
    measured = replace(SOUND, force_disagreement_max=1e3, force_disagreement_mean=1e3)
    assert judge(measured, settings=SamplingSettings(), thresholds=thresholds) is None


def test_completed(run, engines, small_cells, crystals):
    schedules = [crystals.constant(300.0, t_max_ps=t) for t in (0.03, 0.055, 0.041)]
    trajectories = run(small_cells, engines.PairEngine(), schedules=schedules)
    assert [t.stop_reason for t in trajectories] == ['completed'] * 3
    # The ends lie between checks and frames, and are checked and stored nevertheless.
    assert [t.steps.tolist() for t in trajectories] == [
        [0, 10, 20, 30],
        [0, 10, 20, 30, 40, 50, 55],
        [0, 10, 20, 30, 40, 41],
    ]
    assert [t.stop_time_ps for t in trajectories] == pytest.approx([0.03, 0.055, 0.041])
    assert [t.candidate_frame for t in trajectories] == [3, 6, 5]
    np.testing.assert_array_equal(trajectories[1].positions[0], small_cells.one(1)[0])
    assert np.isnan(trajectories[0].force_disagreement_max).all()


def test_energy_disagreement_counts_from_min_time(run, engines, small_cells):
    """Members of 0.9 and 1.1 times the energy disagree by 0.1 sqrt(2) |E| / sqrt(n) from the first step on."""
    engine = engines.PairEngine(scales=(0.9, 1.1))
    early = run(small_cells, engine, energy=0.01)
    assert [(t.stop_reason, t.stop_step) for t in early] == [('energy_disagreement', 0)] * 3
    late = run(small_cells, engine, energy=0.01, min_time_ps=0.045)
    assert [(t.stop_reason, t.stop_step) for t in late] == [('energy_disagreement', 50)] * 3
    for trajectory in late:
        assert trajectory.steps[trajectory.candidate_frame] == 50
        expected = 0.1 * np.sqrt(2) * np.abs(trajectory.energies) / np.sqrt(trajectory.n_atoms)
        np.testing.assert_allclose(trajectory.energy_disagreement, expected, rtol=1e-10)


def test_stops_at_the_first_check_above_the_threshold(run, engines, small_cells):
    """A disagreement that grows by 1 meV a step passes 34.5 meV between the checks at 30 and 40."""

    def grow(prediction, cell, atoms):
        members = np.stack([prediction.energies, prediction.energies])
        spread = 0.001 * (engine.n_evaluations - 1) * np.sqrt(prediction.n_atoms[cell]) / np.sqrt(2)
        members[:, cell] += (-spread, spread)
        return replace(prediction, member_energies=members)

    engine = engines.Spoiled(engines.PairEngine(), n_atoms=4, at=0, change=grow)
    trajectories = run(small_cells, engine, energy=0.0345, t_max_ps=0.06, frame_interval=20)
    assert [t.stop_reason for t in trajectories] == ['completed', 'energy_disagreement', 'completed']
    stopped = trajectories[1]
    assert stopped.steps.tolist() == [0, 20, 40]
    assert stopped.row()['candidate_energy_disagreement'] == pytest.approx(0.040)


@pytest.mark.parametrize(('min_time_ps', 'expected'), [(0.0, 20), (0.025, 30)])
def test_candidate_at_the_highest_disagreement(run, engines, small_cells, min_time_ps, expected):
    """A disagreement that peaks at step 20, where no frame is stored otherwise; the others have their last frame."""

    def peak(prediction, cell, atoms):
        members = np.stack([prediction.energies, prediction.energies])
        spread = 0.1 - 0.001 * abs(engine.n_evaluations - 1 - 20)
        members[:, cell] += (-spread, spread)
        return replace(prediction, member_energies=members)

    engine = engines.Spoiled(engines.PairEngine(), n_atoms=4, at=0, change=peak)
    settings = {'frame_interval': 50, 'candidate_at_t_max': 'highest', 'min_time_ps': min_time_ps}
    trajectories = run(small_cells, engine, t_max_ps=0.06, **settings)
    assert [t.stop_reason for t in trajectories] == ['completed'] * 3
    chosen = trajectories[1]
    assert chosen.steps.tolist() == [0, expected, 50, 60]
    assert chosen.candidate_frame == 1
    assert chosen.row()['candidate_time_ps'] == pytest.approx(expected / 1000)


def test_candidate_where_disagreement_stops_although_it_was_higher_before(run, engines, small_cells):
    """Above the threshold before ``min_time_ps``, when it does not count."""
    engine = engines.PairEngine(scales=(0.9, 1.1))
    stopped = run(small_cells, engine, energy=0.01, min_time_ps=0.045, candidate_at_t_max='highest')
    assert [t.steps[t.candidate_frame] for t in stopped] == [50] * 3


def test_random_cells_without_dynamics(run, engines, small_cells):
    for trajectory in run(small_cells, engines.PairEngine(), selection='random'):
        assert (trajectory.stop_reason, trajectory.stop_step, trajectory.candidate_frame) == ('drawn', 0, 0)
        np.testing.assert_array_equal(trajectory.positions, [small_cells.one(trajectory.index)[0]])


def test_thermal_candidates_at_random_times(run, engines, small_cells):
    """Uniform between ``min_time_ps`` and t_max, and the same whatever else runs beside a trajectory."""
    cells = small_cells.select([1] * 200)
    options = {'selection': 'thermal', 'min_time_ps': 0.02, 't_max_ps': 0.06, 'energy': 1e-9}
    trajectories = run(cells, engines.PairEngine(scales=(0.9, 1.1)), **options)
    steps = np.array([trajectory.stop_step for trajectory in trajectories])
    assert {trajectory.stop_reason for trajectory in trajectories} == {'drawn'}
    assert all(t.steps[t.candidate_frame] == t.stop_step for t in trajectories)
    assert (steps.min() >= 20) & (steps.max() <= 60)
    # The mean of 200 uniform numbers of standard deviation 11.5 is within three standard errors.
    assert steps.mean() == pytest.approx(40, abs=2.5)
    few = run(cells.select([0, 1, 2]), engines.PairEngine(scales=(0.9, 1.1)), batch_size=1, **options)
    assert [t.stop_step for t in few] == steps[:3].tolist()


@pytest.mark.parametrize('kind', ['mean', 'max'])
def test_force_disagreement(run, engines, small_cells, kind):
    """Members of 0.9 and 1.1 times the force deviate by 0.1 sqrt(2) |f| / sqrt(3), rms over the components."""
    engine = engines.PairEngine(scales=(0.9, 1.1))
    threshold = {f'force_{kind}_ev_per_angstrom': 0.02}
    trajectories = run(small_cells, engine, t_max_ps=0.2, temperature=800, **threshold)
    for trajectory in trajectories:
        assert trajectory.stop_reason == f'force_disagreement_{kind}'
        prediction = engine.evaluate(
            Cells.from_lists([trajectory.positions[-1]], [trajectory.lattices[-1]], species=13)
        )
        by_atom = 0.1 * np.sqrt(2 / 3) * np.linalg.norm(prediction.forces, axis=1)
        assert trajectory.force_disagreement_mean[-1] == pytest.approx(by_atom.mean(), rel=1e-9)
        assert trajectory.force_disagreement_max[-1] == pytest.approx(by_atom.max(), rel=1e-9)
        assert getattr(trajectory, f'force_disagreement_{kind}')[-1] > 0.02
        assert (getattr(trajectory, f'force_disagreement_{kind}')[:-1] <= 0.02).all()


def test_close_contact_across_the_boundary(run, engines):
    """Atoms that attract each other without limit meet across the boundary; the candidate is sound."""
    engine = engines.PairEngine(depth=-0.05)
    cells = Cells.from_lists([[[0.3, 3, 3], [7.0, 3, 3]]], [np.eye(3) * 9.0], species=13)
    assert np.linalg.norm(cells.positions[1] - cells.positions[0]) > 6  # the close contact is with images
    (trajectory,) = run(cells, engine, t_max_ps=3, temperature=1, check_interval=2, frame_interval=200)
    assert trajectory.stop_reason is StopReason.CLOSE_CONTACT
    assert trajectory.closest_contact_angstrom < 1.5
    assert trajectory.steps[trajectory.candidate_frame] == trajectory.stop_step - 2
    atoms = Atoms('Al2', trajectory.positions[trajectory.candidate_frame], cell=trajectory.lattices[0], pbc=True)
    assert 1.5 <= neighbor_list('d', atoms, 4.0).min() < 1.9


def test_hot(run, engines, small_cells):
    """3 and 4 atoms at 300 K soon reach 450 K, which stops them at once, not at the next check."""
    trajectories = run(
        small_cells,
        engines.PairEngine(),
        max_temperature_k=450.0,
        check_interval=50,
        frame_interval=50,
        t_max_ps=2,
        friction_per_fs=0.1,
    )
    trajectory = trajectories[0]
    assert trajectory.stop_reason is StopReason.TEMPERATURE
    assert trajectory.max_temperature_k > 450
    assert trajectory.temperatures_k.max() <= 450
    assert trajectory.steps[trajectory.candidate_frame] == trajectory.stop_step // 50 * 50


@pytest.mark.parametrize('spoiler', ['nan forces', 'nan energy', 'huge forces'])
@pytest.mark.parametrize('at', [0, 1, 27])
def test_broken_potential_costs_one_trajectory_only(run, engines, small_cells, spoiler, at):
    """Evaluation ``at`` + 1 belongs to step ``at``."""
    healthy = run(small_cells, engines.PairEngine())
    spoiled = engines.Spoiled(engines.PairEngine(), n_atoms=4, at=at, change=engines.spoilers[spoiler])
    broken = run(small_cells, spoiled)
    assert broken[1].stop_reason is StopReason.NOT_FINITE
    assert broken[1].stop_step == at
    assert broken[1].steps[-1] == at // 10 * 10
    np.testing.assert_allclose(broken[1].positions, healthy[1].positions[: len(broken[1].steps)], atol=1e-9)
    for index in (0, 2):
        assert broken[index].stop_reason is StopReason.COMPLETED
        np.testing.assert_allclose(broken[index].positions, healthy[index].positions, atol=1e-9)


def test_unphysical_initial_cell_is_refused(run, engines, small_cells):
    tight = Cells.from_lists(
        [small_cells.one(0)[0], [[0, 0, 0]]], [small_cells.lattices[0], np.diag([5, 5, 1.2])], species=13
    )
    engine = engines.Watched(engines.PairEngine())
    with pytest.raises(AnialError, match=r'cell 1 are 1\.200 angstrom apart'):
        run(tight, engine, batch_size=1)
    assert not engine.evaluated


def test_contradicting_settings_are_refused(run, engines, small_cells):
    with pytest.raises(SettingsError, match='min_time_ps'):
        run(small_cells, engines.PairEngine(), min_time_ps=0.1, t_max_ps=0.1)
    with pytest.raises(SettingsError, match='max_temperature_k'):
        run(small_cells, engines.PairEngine(), max_temperature_k=299)
    with pytest.raises(AnialError, match='min_contact_angstrom'):
        run(small_cells, engines.PairEngine(cutoff=3.0), min_contact_angstrom=3.1)
    with pytest.raises(SettingsError, match='frame_interval'):
        SamplingSettings.parse({'frame_interval': 15})
