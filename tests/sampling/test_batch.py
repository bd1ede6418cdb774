"""Trajectories are bitwise independent of the rest of the batch, and all trajectories of a task run."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.common.tensors import tensor_bytes
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.dynamics import Dynamics
from aiida_anial.sampling.settings import SamplingSettings
from aiida_anial.sampling.trajectory import Trajectory

# With so many members, NumPy sums those of a single cell in another order.
SCALES = tuple(np.linspace(0.95, 1.06, 9))
# Lengths for the cells below: between checks, at a check, and so short that others replace them.
LENGTHS_PS = (0.12, 0.043, 0.08, 0.02, 0.06)
STATE = ('positions', 'velocities', 'forces', 'references')


@pytest.fixture
def cells(crystals) -> Cells:
    """Jittered crystals of 3, 4, 32, 5 and 17 atoms."""
    four, small = crystals.fcc(1, jitter=0.1)
    many, large = crystals.fcc(2, jitter=0.1, seed=1)
    return Cells.from_lists(
        [four[:3], four, many, many[:5] + 20.0, many[:17]], [small, small, large, 0.8 * large, large], species=13
    )


@pytest.fixture
def sampled(run, cells, crystals):
    """Return a function that samples these cells at high temperature, so that they end in different ways."""
    temperatures = (1800.0, 1900.0, 1700.0, 400.0, 1500.0)
    schedules = [crystals.constant(t, t_max_ps=length) for t, length in zip(temperatures, LENGTHS_PS, strict=True)]

    def call(engine, **settings) -> tuple[Trajectory, ...]:
        wanted = {'schedules': schedules, 'energy': 0.1, 'force_max_ev_per_angstrom': 0.03}
        return run(cells, engine, **(wanted | settings))

    return call


def test_there_are_ends_of_all_kinds(sampled, engines):
    """At a check and between checks, by a threshold, and at the start."""
    trajectories = sampled(engines.PairEngine(SCALES))
    assert [(t.stop_step, t.stop_reason.value) for t in trajectories] == [
        (120, 'completed'),
        (43, 'completed'),
        (0, 'energy_disagreement'),
        (20, 'completed'),
        (50, 'force_disagreement_max'),
    ]


@pytest.mark.parametrize('batch', [{'batch_size': 1}, {'batch_size': 2}, {'batch_size': 2, 'refill': False}])
def test_strained_trajectories_do_not_depend_on_the_batch(run, cells, crystals, engines, batch):
    schedules = [
        crystals.constant(900.0, t_max_ps=length).model_copy(update={'strain_mod': (0.02 * index,) * 6})
        for index, length in enumerate(LENGTHS_PS)
    ]
    whole, pieces = (run(cells, engines.PairEngine(SCALES), schedules=schedules, **options) for options in ({}, batch))
    for one, other in zip(whole, pieces, strict=True):
        assert tensor_bytes(one.content()) == tensor_bytes(other.content())


@pytest.mark.parametrize('skewed', [0.0, 1e-9])
@pytest.mark.parametrize('refill', [True, False])
@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_same_bytes_in_any_batch(sampled, engines, batch_size, refill, skewed):
    """Also if computing the forces of members changes the mean force: that must not depend on other cells."""
    together = sampled(engines.Watched(engines.PairEngine(SCALES), skewed))
    apart = sampled(engines.Watched(engines.PairEngine(SCALES), skewed), batch_size=batch_size, refill=refill)
    for first, second in zip(together, apart, strict=True):
        assert tensor_bytes(first.content()) == tensor_bytes(second.content())


@pytest.mark.parametrize('order', [[0], [2], [4], [4, 3, 2, 1, 0], [2, 0, 4], [1, 2, 3, 4, 0]])
def test_same_bits_alone_and_in_any_order(engines, cells, crystals, order):
    schedules = [crystals.constant(2000.0, t_max_ps=1.0)] * len(cells)
    states, predictions = [], []
    for numbers in (list(range(len(cells))), order):
        batch = TrajectoryBatch.start(cells.select(numbers), indices=numbers, schedules=schedules, seed=5)
        engine = engines.PairEngine(SCALES)
        dynamics = Dynamics(batch, schedules=schedules, engine=engine, settings=SamplingSettings(skin_angstrom=0.3))
        dynamics.evaluate(member_forces=False)
        for _ in range(60):
            prediction = dynamics.step(member_forces=False)
        at = [numbers.index(number) for number in order]
        predictions.append(prediction.member_energies[:, at])
        parts = [batch.atoms(trajectory) for trajectory in at]
        states.append([np.concatenate([getattr(batch, name)[part] for part in parts]) for name in STATE])
        states[-1] += [dynamics.temperatures()[at], np.array(dynamics.closest_contacts())[at]]
    np.testing.assert_array_equal(*predictions)
    for first, second in zip(*states, strict=True):
        np.testing.assert_array_equal(first, second)


def spans(batches: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the batches without consecutive repetitions."""
    return [batch for number, batch in enumerate(batches) if number == 0 or batch != batches[number - 1]]


def test_the_next_takes_the_place_at_the_next_check(run, engines, cells, crystals):
    """Trajectories 0 to 4 have 3, 4, 32, 5 and 17 atoms; the second ends at step 43, and the next check is at 50."""
    schedules = [crystals.constant(300.0, t_max_ps=t) for t in LENGTHS_PS]
    engine = engines.Watched(engines.PairEngine())
    trajectories = run(cells, engine, schedules=schedules, batch_size=2)
    assert [trajectory.stop_step for trajectory in trajectories] == [120, 43, 80, 20, 60]
    order = [(3, 4), (4,), (3,), (32,), (3, 32), (5,), (32, 5), (17,), (5, 17), (17,)]
    # The second is evaluated again separately because it ends between checks; new ones are evaluated at their start.
    assert spans(engine.evaluated) == order
    counts = Counter(engine.evaluated)
    assert [counts[batch] for batch in order[:-1]] == [1 + 43, 1, 7, 1, 70, 1, 10, 1 + 50, 10]


def test_without_refill_batches_follow_each_other(run, engines, cells, crystals):
    schedules = [crystals.constant(300.0, t_max_ps=t) for t in LENGTHS_PS]
    engine = engines.Watched(engines.PairEngine())
    run(cells, engine, schedules=schedules, batch_size=2, refill=False)
    assert spans(engine.evaluated) == [(3, 4), (4,), (3,), (32, 5), (32,), (17,)]


def test_members_forces_are_computed_for_all_at_the_same_steps(run, engines, cells, crystals):
    schedules = [crystals.constant(300.0, t_max_ps=t) for t in LENGTHS_PS]
    engine = engines.Watched(engines.PairEngine(SCALES))
    run(cells, engine, schedules=schedules, batch_size=2, force_mean_ev_per_angstrom=1e9)
    checks = Counter(engine.with_members)
    # At the start and at 10 to 40; when one ends at 43; the other alone at 50, and with the next from 60 on.
    assert checks[3, 4] == 1 + 4
    assert checks[4,] == 1
    assert checks[3,] == 1
    assert checks[3, 32] == 7


def test_each_list_is_renewed_for_its_own_atoms(run, engines, cells, crystals):
    schedules = [crystals.constant(t, t_max_ps=0.2) for t in (2500.0, 5.0, 900.0, 5.0, 900.0)]
    together, alone = engines.Watched(engines.PairEngine()), engines.Watched(engines.PairEngine())
    run(cells, together, schedules=schedules)
    run(cells, alone, schedules=schedules, batch_size=1)
    assert Counter(together.listed) == Counter(alone.listed)
    # The first two lists are for the initial contacts and for the start.
    assert together.listed.count(3) > 2 + 5
    assert together.listed.count(3) > together.listed.count(4)


def test_no_list_is_renewed_when_another_trajectory_ends(run, engines, cells, crystals):
    lists = []
    for short in (0.01, 0.1):
        schedules = [crystals.constant(300.0, t_max_ps=t) for t in (0.1, short, 0.1, 0.1, 0.1)]
        engine = engines.Watched(engines.PairEngine())
        run(cells, engine, schedules=schedules)
        lists.append(Counter(n for n in engine.listed if n != 4))
    assert lists[0] == lists[1]


def test_a_list_holds_until_an_atom_has_moved_by_half_the_skin(engines, cells, crystals):
    schedules = [crystals.constant(2000.0, t_max_ps=1.0)] * len(cells)
    batch = TrajectoryBatch.start(cells, indices=range(len(cells)), schedules=schedules, seed=5)
    engine = engines.Watched(engines.PairEngine())
    dynamics = Dynamics(batch, schedules=schedules, engine=engine, settings=SamplingSettings(skin_angstrom=0.4))
    dynamics.evaluate(member_forces=False)
    n_renewed = 0
    for _ in range(100):
        before, engine.listed[:] = batch.references.copy(), []
        dynamics.step(member_forces=False)
        moved = np.linalg.norm(batch.positions - before, axis=1)
        expected = [n for trajectory, n in enumerate(cells.n_atoms) if moved[batch.atoms(trajectory)].max() > 0.2]
        assert engine.listed == expected
        n_renewed += len(expected)
        assert np.linalg.norm(batch.positions - batch.references, axis=1).max() <= 0.2
    assert n_renewed > 20


def test_impossible_batch_is_refused():
    with pytest.raises(SettingsError, match='batch_size'):
        SamplingSettings.parse({'batch_size': 0})
