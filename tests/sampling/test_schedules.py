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
    values = {name: np.array([getattr(schedule, name) for schedule in drawn]) for name in Schedule.model_fields}
    assert set(values.pop('t_max_ps')) == {250.0}
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
    ],
)
def test_impossible_settings_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        ScheduleSettings.parse(values, where='schedule')
