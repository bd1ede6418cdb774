"""Schedules against Eq. 2."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest

from aiida_anial.common.errors import SettingsError
from aiida_anial.sampling.schedules import Schedule, draw_schedule, draw_schedules
from aiida_anial.sampling.settings import ScheduleSettings


def test_closed_form():
    schedule = Schedule(t_start_k=900, t_end_k=100, t_mod_k=1000, t_0_ps=20, t_max_ps=250)
    assert schedule.temperature(0.0) == 900
    assert schedule.temperature(250.0) == pytest.approx(100 + 1000 * math.sin(12.5 * math.pi) ** 2)
    assert schedule.temperature(10.0) == pytest.approx(900 - 32 + 1000)  # half a period: the crest
    assert schedule.temperature(20.0) == pytest.approx(900 - 64)
    assert schedule.temperature(5.0) == pytest.approx(900 - 16 + 500)


def test_number_of_steps():
    schedule = Schedule(t_start_k=1, t_end_k=1, t_mod_k=0, t_0_ps=20, t_max_ps=250)
    assert schedule.n_steps(1.0) == 250000
    assert schedule.n_steps(0.3) == 833333


def test_uniform_and_independent_of_each_other():
    settings = ScheduleSettings()
    drawn = draw_schedules(settings, seed=1, n=500)
    names = ('t_start_k', 't_end_k', 't_mod_k', 't_0_ps')
    values = {name: np.array([getattr(schedule, name) for schedule in drawn]) for name in names}
    assert {schedule.t_max_ps for schedule in drawn} == {250.0}
    assert not any(schedule.changes_cell for schedule in drawn)
    for name, sample in values.items():
        low, high = getattr(settings, name)
        assert kstest(sample, 'uniform', args=(low, high - low)).pvalue > 0.01
    correlations = np.corrcoef(np.array(list(values.values())))
    assert np.abs(correlations - np.eye(4)).max() < 4 / math.sqrt(500)


def test_schedule_does_not_depend_on_others():
    settings = ScheduleSettings(t_max_ps=1.0)
    assert draw_schedules(settings, seed=9, n=10)[4] == draw_schedule(settings, seed=9, index=4)
    assert draw_schedule(settings, seed=9, index=4) != draw_schedule(settings, seed=9, index=5)
    assert draw_schedule(settings, seed=8, index=4) != draw_schedule(settings, seed=9, index=4)


def test_quenches_end_cold_and_leave_the_others_as_they_were():
    settings = ScheduleSettings(quench_fraction=0.3, t_quench_k=(5.0, 20.0))
    plain, drawn = (draw_schedules(one, seed=4, n=300) for one in (ScheduleSettings(), settings))
    quenches = [after for before, after in zip(plain, drawn, strict=True) if before != after]
    assert len(quenches) / 300 == pytest.approx(0.3, abs=0.08)
    for schedule in quenches:
        assert 5 <= schedule.temperature(schedule.t_max_ps) <= 20
        assert schedule.temperature(0.4 * schedule.t_max_ps) == pytest.approx(
            0.6 * schedule.t_start_k + 0.4 * schedule.t_end_k
        )
    assert draw_schedules(ScheduleSettings(quench_fraction=1.0), seed=4, n=300) != plain
    assert draw_schedules(ScheduleSettings(quench_fraction=0.0), seed=4, n=300) == plain


def test_strain_follows_the_temperature_in_time():
    end, mod = (0.01, 0.02, -0.03, 0.004, 0.005, 0.006), (0.1, 0.0, 0.0, 0.0, 0.0, -0.02)
    values = {'t_start_k': 1, 't_end_k': 1, 't_mod_k': 0, 't_0_ps': 20, 't_max_ps': 100}
    schedule = Schedule(**values, strain_end=end, strain_mod=mod)
    np.testing.assert_array_equal(schedule.deformation(0.0), np.eye(3))
    expected = np.array([[1.01, 0.006, 0.005], [0.006, 1.02, 0.004], [0.005, 0.004, 0.97]])
    np.testing.assert_allclose(schedule.deformation(100.0), expected, atol=1e-12)
    np.testing.assert_allclose(schedule.deformation(10.0)[0], [1.101, -0.0194, 0.0005], atol=1e-12)


def test_strains_are_random_within_their_ranges_and_leave_the_temperatures_as_they_were():
    drawn = draw_schedules(ScheduleSettings(strain=0.05, dilation=0.1), seed=4, n=400)
    plain = draw_schedules(ScheduleSettings(), seed=4, n=400)
    unstrained = {'strain_end': (0.0,) * 6, 'strain_mod': (0.0,) * 6}
    assert [one.model_copy(update=unstrained) for one in drawn] == list(plain)
    for name in unstrained:
        components = np.array([getattr(one, name) for one in drawn])
        for shear in components[:, 3:].T:
            assert kstest(shear, 'uniform', args=(-0.05, 0.1)).pvalue > 0.001
        mean = components[:, :3].mean(axis=1)
        # Of a uniform dilation, and of three uniform strains.
        assert mean.std() == pytest.approx(np.sqrt(0.1**2 / 3 + 0.05**2 / 9), rel=0.1)
        assert np.abs(components[:, :3]).max() <= 0.15


def test_some_cells_relax_to_pressures_within_the_range():
    drawn = draw_schedules(ScheduleSettings(relaxed_fraction=0.4, pressure_gpa=(2.0, 30.0)), seed=4, n=400)
    plain = draw_schedules(ScheduleSettings(), seed=4, n=400)
    assert [one.model_copy(update={'pressure_gpa': None}) for one in drawn] == list(plain)
    pressures = [one.pressure_gpa for one in drawn if one.pressure_gpa is not None]
    assert len(pressures) / 400 == pytest.approx(0.4, abs=0.07)
    assert kstest(pressures, 'uniform', args=(2.0, 28.0)).pvalue > 0.001
    assert all(one.changes_cell == (one.pressure_gpa is not None) for one in drawn)


def test_round_trip_through_json():
    schedule = draw_schedule(ScheduleSettings(), seed=2, index=3)
    assert Schedule.parse(schedule.to_dict()) == schedule


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'t_0_ps': [0, 10]}, 't_0_ps'),
        ({'t_end_k': [600, 10]}, 't_end_k'),
        ({'t_max_ps': 0}, 't_max_ps'),
        ({'t_mod_k': ['0', 10]}, 't_mod_k'),
        ({'t_maximum_ps': 3}, 't_max_ps'),
        ({'strain': 0.12, 'dilation': 0.1}, 'may collapse a cell'),
    ],
)
def test_impossible_settings_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        ScheduleSettings.parse(values, where='schedule')
