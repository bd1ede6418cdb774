"""Cells that change in the course of a trajectory."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

from aiida_anial.common.cells import Cells

STRAIN = {'strain_end': (0.03, -0.02, 0.01, 0.02, 0.0, -0.01), 'strain_mod': (0.0, 0.05, 0.0, 0.0, 0.03, 0.0)}


def strained(crystals, temperature, **changes):
    schedule = crystals.constant(temperature, t_max_ps=0.105)
    return schedule.model_copy(update={'t_0_ps': 0.07, **STRAIN, **changes})


def test_the_lattice_follows_the_schedule_at_checks(run, engines, crystals, small_cells):
    schedules = [strained(crystals, 600.0)] * 3
    for trajectory in run(small_cells, engines.PairEngine(), schedules=schedules):
        initial = small_cells.lattices[trajectory.index]
        for lattice, time in zip(trajectory.lattices, trajectory.times_ps, strict=True):
            # The end is between two checks.
            at = 0.01 * np.floor(time / 0.01 + 1e-9)
            np.testing.assert_allclose(lattice, initial @ schedules[0].deformation(at), atol=1e-12)


def test_a_perfect_crystal_at_zero_temperature_moves_with_its_cell(run, engines, crystals):
    """No force acts on its atoms at any strain, for each is a centre of inversion."""
    positions, lattice = crystals.fcc(2)
    cells = Cells.from_lists([positions], [lattice], species=13)
    (trajectory,) = run(cells, engines.PairEngine(), schedules=[strained(crystals, 0.0)])
    for lattice, place in zip(trajectory.lattices, trajectory.positions, strict=True):
        np.testing.assert_allclose(
            place @ np.linalg.inv(lattice), positions @ np.linalg.inv(cells.lattices[0]), atol=1e-9
        )


def test_energies_are_those_of_the_strained_cells(run, engines, crystals, small_cells):
    """Neighbour lists and lattices of the running trajectories are those of the stored frames."""
    engine = engines.PairEngine()
    for trajectory in run(small_cells, engine, schedules=[strained(crystals, 900.0)] * 3):
        frames = Cells.from_lists(trajectory.positions, trajectory.lattices, species=13)
        np.testing.assert_allclose(trajectory.energies, engine.evaluate(frames).energies, rtol=1e-9)


def test_the_compiled_engine_follows_the_cell(run, make_ensemble, crystals, small_cells):
    from aiida_anial.potential.engine import make_engine
    from aiida_anial.potential.settings import EngineSettings

    engine = make_engine(make_ensemble(), EngineSettings(dtype='float64'))
    limits = {'min_contact_angstrom': 0.2, 'max_temperature_k': 1e7}
    for trajectory in run(small_cells, engine, schedules=[strained(crystals, 300.0)] * 3, **limits):
        frames = Cells.from_lists(trajectory.positions, trajectory.lattices, species=13)
        np.testing.assert_allclose(trajectory.energies, engine.evaluate(frames).energies, rtol=1e-9)


@pytest.mark.parametrize('pressure', [0.0, 15.0])
def test_a_cell_relaxes_to_its_pressure(run, engines, crystals, pressure):
    positions, lattice = crystals.fcc(2)
    strain = np.eye(3) + np.array([[0.1, 0.05, 0.0], [0.05, -0.02, 0.0], [0.0, 0.0, 0.08]])
    cells = Cells.from_lists([positions @ strain], [lattice @ strain], species=13)
    schedule = crystals.constant(0.0, t_max_ps=3.0).model_copy(update={'pressure_gpa': pressure})
    (trajectory,) = run(cells, engines.PairEngine(), schedules=[schedule])
    last = Cells.from_lists(trajectory.positions[-1:], trajectory.lattices[-1:], species=13)
    stress = engines.PairEngine().evaluate(last, stress=True).stresses[0] / units.GPa
    np.testing.assert_allclose(stress, -pressure * np.eye(3), atol=0.05)


def test_the_density_of_a_gas_is_that_of_an_ideal_one(run, engines, crystals):
    """Without forces, the pressure is n k T / V, and the cell follows it."""
    cells = Cells.from_lists([10 * np.random.default_rng(1).random((40, 3))], [10 * np.eye(3)], species=13)
    schedule = crystals.constant(20000.0, t_max_ps=6.0).model_copy(update={'pressure_gpa': 12.0})
    limits = {'min_contact_angstrom': 0.0, 'max_temperature_k': 1e6, 'friction_per_fs': 0.02}
    (trajectory,) = run(cells, engines.PairEngine(depth=0.0), schedules=[schedule], **limits)
    pressures = 40 * units.kB * trajectory.temperatures_k / np.linalg.det(trajectory.lattices) / units.GPa
    assert pressures[trajectory.times_ps > 1.0].mean() == pytest.approx(12.0, rel=0.03)


def test_a_cell_that_expands_without_end_stops(run, engines, crystals, small_cells):
    schedule = crystals.constant(20000.0, t_max_ps=5.0).model_copy(update={'pressure_gpa': 0.0})
    limits = {'min_contact_angstrom': 0.0, 'max_temperature_k': 1e6}
    for trajectory in run(small_cells, engines.PairEngine(depth=0.0), schedules=[schedule] * 3, **limits):
        assert trajectory.stop_reason == 'volume'
        assert not trajectory.stop_reason.is_physical
        ratios = np.linalg.det(trajectory.lattices) / small_cells.volumes[trajectory.index]
        assert 2.0 < ratios.max() <= 2.5
