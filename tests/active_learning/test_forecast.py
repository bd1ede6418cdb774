"""What a campaign will cost."""

from __future__ import annotations

import pytest

from aiida_anial.active_learning.forecast import Speed, forecast, label_interval, memory_mib
from aiida_anial.protocols.protocol import campaign_inputs

SPEED = Speed(label_s=10.0, atom_step_s=1e-4, training_step_s=0.05, job_s=5.0, n_atoms=12.0)


def make_inputs(*, selection='active', **changes):
    campaign = {'n_initial_cells': 20, 'max_iterations': 3, 'n_trajectories': [8, 12], 'trajectories_fraction': 0.25}
    campaign |= {'n_cycles': 2, 'label_completed_fraction': 1.0, 't_max_growth': 0.5} | changes
    stage = {'max_steps': 100}
    training = {'initial': {'max_steps': 200}, 'retrain': stage, 'final': {'max_steps': 1000}}
    sampling = {'dynamics': {'selection': selection}}
    return campaign_inputs(
        'demo', {'campaign': campaign, 'training': training, 'schedules': {'t_max_ps': 1.0}, 'sampling': sampling}
    )


def test_with_every_end_labelled_each_trajectory_gives_a_label():
    course = forecast(make_inputs(), SPEED)
    # A quarter of 20, 28 and 36 labels, but at least 8 trajectories.
    assert [one.n_labels for one in course.iterations] == [20, 8, 8, 9]
    assert course.n_labels == 45
    assert course.disk_mib == pytest.approx(45 * 110 / 1024)
    ends = list(course.ends())
    assert [n_labels for _, n_labels, _ in ends] == [20, 28, 36, 45]
    assert ends[-1][2] + course.final_s == pytest.approx(sum(course.seconds.values()))


def test_only_stopped_trajectories_give_labels_if_no_end_is_labelled():
    course = forecast(make_inputs(label_completed_fraction=0.0), SPEED)
    target = make_inputs().thresholds.target_stopped_fraction
    assert course.iterations[1].n_labels == round(8 * target)


@pytest.mark.parametrize(('selection', 'steps'), [('thermal', 500), ('random', 0)])
def test_all_drawn_candidates_are_labelled(selection, steps):
    second = forecast(make_inputs(selection=selection, label_completed_fraction=0.0), SPEED).iterations[1]
    assert second.n_labels == 8
    assert second.seconds['dynamics'] == pytest.approx(5 + 4 * 12 * steps * 1e-4)


def test_each_kind_of_work_costs_what_it_takes():
    first, second, third, _ = forecast(make_inputs(), SPEED).iterations
    assert first.seconds == pytest.approx({'labels': 200.0, 'training': 5 + 200 * 0.05})
    assert second.seconds['labels'] == pytest.approx(80.0)
    assert second.seconds['training'] == pytest.approx(5 + 100 * 0.05)
    # Half of the trajectories stop, on average at half of t_max: 750 of 1,000 steps; 4 trajectories a cycle.
    assert second.seconds['dynamics'] == pytest.approx(5 + 4 * 12 * 750 * 1e-4)
    # Half as long again in the next iteration.
    assert third.seconds['dynamics'] == pytest.approx(5 + 4 * 12 * 1125 * 1e-4)


def test_what_is_done_is_not_forecast():
    whole = forecast(make_inputs(), SPEED)
    rest = forecast(make_inputs(), SPEED, n_labels=28, iterations_done=1)
    assert rest.iterations == whole.iterations[2:]
    assert rest.final_s == whole.final_s
    assert forecast(make_inputs(), SPEED, n_labels=45, iterations_done=3).iterations == ()


def test_slots_cores_or_the_worker_limit_the_labels():
    one = label_interval(20.0, slots=1, cores=8, engine_s=2.0)
    assert one > 20
    # With enough cores each further slot counts; beyond the cores it hides only what is around a program.
    assert label_interval(20.0, slots=4, cores=8, engine_s=2.0) == pytest.approx(one / 4)
    two, many = (label_interval(20.0, slots=slots, cores=2, engine_s=2.0) for slots in (2, 100))
    assert one / 2 <= two < one
    assert many == pytest.approx(22 / 2)
    # A worker is one process, however many machines label.
    assert label_interval(20.0, slots=100, cores=100, engine_s=2.0) == 2.0


def test_the_memory_is_that_of_the_largest_stage():
    inputs = make_inputs()
    slots = inputs.label.limits.max_concurrent
    small, large = memory_mib(inputs, None), memory_mib(inputs, 10_000.0)
    assert small == memory_mib(inputs, 1.0)
    assert large > slots * 10_000
