"""The integrator against conservation laws, closed forms and ASE."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_masses
from ase.md.verlet import VelocityVerlet

from aiida_anial.common.cells import Cells
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.dynamics import Dynamics
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings
from aiida_anial.sampling.streams import Purpose, stream

MASS = float(atomic_masses[13]) / units.fs**2


def make(engine, cells, *, temperature=600.0, schedule=None, seed=1, **settings):
    """Return dynamics at their start, with forces."""
    schedule = schedule or Schedule(t_start_k=temperature, t_end_k=temperature, t_mod_k=0, t_0_ps=10, t_max_ps=1)
    schedules = [schedule] * len(cells)
    batch = TrajectoryBatch.start(cells, indices=range(len(cells)), schedules=schedules, seed=seed)
    dynamics = Dynamics(batch, schedules=schedules, engine=engine, settings=SamplingSettings(**settings))
    dynamics.evaluate(member_forces=False)
    return dynamics


def kinetic(dynamics) -> float:
    return 0.5 * MASS * float((dynamics.batch.velocities**2).sum())


@pytest.fixture
def crystal(crystals) -> Cells:
    """32 atoms of FCC."""
    return Cells.from_lists(*([part] for part in crystals.fcc(2, jitter=0.05)), species=13)


def test_energy_drift_of_second_order(engines, crystal):
    """Without friction: velocity Verlet, whose energy error is of second order in the time step."""
    errors = {}
    for time_step in (1.0, 2.0, 4.0):
        dynamics = make(engines.PairEngine(), crystal, time_step_fs=time_step, friction_per_fs=0)
        start = float(dynamics.evaluate(member_forces=False).energies[0]) + kinetic(dynamics)
        energies = []
        for _ in range(int(400 / time_step)):
            energy = float(dynamics.step(member_forces=False).energies[0]) + kinetic(dynamics)
            energies.append(energy - start)
        errors[time_step] = np.std(energies[int(4 / time_step) - 1 :: int(4 / time_step)])
    assert errors[1.0] < 1e-5 * 32
    assert errors[2.0] / errors[1.0] == pytest.approx(4, rel=0.1)
    assert errors[4.0] / errors[2.0] == pytest.approx(4, rel=0.1)


def test_same_path_as_ase(engines, crystal):
    """Checks units, masses, and the order of kick and drift."""
    engine = engines.PairEngine()

    class Pairs(Calculator):
        implemented_properties = ('energy', 'forces')

        def calculate(self, atoms=None, properties=('energy',), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            prediction = engine.evaluate(Cells.from_lists([atoms.positions], [atoms.cell[:]], species=13))
            self.results = {'energy': prediction.energies[0], 'forces': prediction.forces}

    dynamics = make(engine, crystal, temperature=900.0, time_step_fs=2.0, friction_per_fs=0)
    atoms = Atoms('Al32', positions=crystal.positions, cell=crystal.lattices[0], pbc=True, calculator=Pairs())
    atoms.set_velocities(dynamics.batch.velocities / units.fs)
    assert dynamics.temperatures()[0] == pytest.approx(atoms.get_temperature(), rel=1e-12)
    VelocityVerlet(atoms, timestep=2.0 * units.fs).run(60)
    for _ in range(60):
        dynamics.step(member_forces=False)
    np.testing.assert_allclose(dynamics.batch.positions, atoms.positions, atol=1e-10)
    np.testing.assert_allclose(dynamics.batch.velocities, atoms.get_velocities() * units.fs, atol=1e-12)


def test_same_path_as_written_out(engines, crystal):
    """BAOAB line by line, with the noise of the random stream of the trajectory, and new neighbours at each step."""
    schedule = Schedule(t_start_k=900, t_end_k=300, t_mod_k=2000, t_0_ps=0.2, t_max_ps=0.3)
    dynamics = make(engines.PairEngine(), crystal, schedule=schedule, seed=9, time_step_fs=2.0, friction_per_fs=0.02)
    generator = np.random.Generator(stream(Purpose.DYNAMICS, seed=9, index=0))
    x, engine, kept = crystal.positions, engines.PairEngine(), math.exp(-0.04)
    v = generator.standard_normal(x.shape) * math.sqrt(units.kB * 900 / MASS)
    f = engine.evaluate(crystal).forces
    for step in range(100):
        v = v + f / MASS
        x = x + v
        noise = math.sqrt((1 - kept**2) * units.kB * schedule.temperature((2 * step + 1) / 1000) / MASS)
        v = kept * v + noise * generator.standard_normal(x.shape)
        x = x + v
        f = engine.evaluate(Cells(x, crystal.lattices, crystal.offsets, crystal.species)).forces
        v = v + f / MASS
        dynamics.step(member_forces=False)
    np.testing.assert_allclose(dynamics.batch.positions, x, atol=1e-10)
    np.testing.assert_allclose(dynamics.batch.velocities, v, atol=1e-12)


def test_harmonic_crystal_in_equilibrium(engines, crystals):
    """BAOAB samples positions of a harmonic oscillator exactly, <x^2> = kT / k, at any time step.

    Its velocities have <v^2> = kT / m (1 - (omega dt)^2 / 4) (Leimkuhler and Matthews, J. Chem. Phys. 138, 174102).
    """
    time_step, omega, temperature = 4.0, 0.1, 300.0
    stiffness = MASS * omega**2
    cells = Cells.from_lists(*([part] for part in crystals.fcc(5)), species=13)
    dynamics = make(
        engines.EinsteinEngine(cells, stiffness),
        cells,
        temperature=temperature,
        time_step_fs=time_step,
        friction_per_fs=0.05,
    )
    squares, speeds = [], []
    for step in range(1800):
        dynamics.step(member_forces=False)
        if step >= 100:
            squares.append(((dynamics.batch.positions - cells.positions) ** 2).mean())
            speeds.append((dynamics.batch.velocities**2).mean())
    assert np.mean(squares) == pytest.approx(units.kB * temperature / stiffness, rel=0.01)
    factor = 1 - (omega * time_step) ** 2 / 4
    assert factor < 0.97
    assert np.mean(speeds) == pytest.approx(units.kB * temperature / MASS * factor, rel=0.01)


def test_ideal_gas_follows_the_schedule(engines):
    """Without forces <v^2> relaxes by the damping of each step towards the target at the middle of the step.

    The temperature of n atoms scatters around that with a relative variance of 2 / (3 n).
    """
    schedule = Schedule(t_start_k=1000, t_end_k=200, t_mod_k=2000, t_0_ps=0.5, t_max_ps=1)
    n, friction, time_step = 6000, 0.02, 10.0
    generator = np.random.default_rng(0)
    cells = Cells.from_lists([generator.uniform(0, 150, (n, 3))], [np.eye(3) * 150], species=13)
    engine = engines.EinsteinEngine(cells, 0.0, cutoff=1.5)
    dynamics = make(engine, cells, schedule=schedule, friction_per_fs=friction, time_step_fs=time_step)
    expected, kept = schedule.temperature(0), math.exp(-2 * friction * time_step)
    deviations = [dynamics.temperatures()[0] / expected - 1]
    for step in range(100):
        dynamics.step(member_forces=False)
        expected = kept * expected + (1 - kept) * schedule.temperature((step + 0.5) * time_step / 1000)
        deviations.append(dynamics.temperatures()[0] / expected - 1)
    assert 0.5 < np.mean(np.square(deviations)) * 3 * n / 2 < 2


def test_skin_changes_nothing_but_the_number_of_lists(engines, crystal):
    paths, lists = [], []
    for skin in (1e-6, 0.7):
        engine = engines.PairEngine()
        dynamics = make(engine, crystal, temperature=2000.0, skin_angstrom=skin)
        for _ in range(150):
            dynamics.step(member_forces=False)
        paths.append(dynamics.batch.positions)
        lists.append(engine.n_lists)
    np.testing.assert_allclose(*paths, atol=1e-8)
    assert lists[0] > 150
    assert 2 < lists[1] < 30


def test_positions_may_start_and_go_outside_of_the_cell(engines, crystal):
    """The path is the same, and the engine, which may use float32, gets small coordinates."""
    wandered = 40 * crystal.lattices[0, 1] - 7 * crystal.lattices[0, 2]
    far = Cells(crystal.positions + wandered, crystal.lattices, crystal.offsets, crystal.species)
    paths = []
    for cells in (crystal, far):
        engine = engines.PairEngine()
        dynamics = make(engine, cells, temperature=1500.0)
        for _ in range(60):
            dynamics.step(member_forces=False)
        paths.append(dynamics.batch.positions - cells.positions)
        assert np.abs(engine.last_seen).max() < crystal.lattices[0, 0, 0] + 0.5
    np.testing.assert_allclose(*paths, atol=1e-8)


def test_own_random_numbers(engines, crystal):
    twice = make(engines.PairEngine(), Cells.from_lists([crystal.positions] * 2, [crystal.lattices[0]] * 2, species=13))
    assert not np.any(twice.batch.velocities[:32] == twice.batch.velocities[32:])


def test_free_flight_of_two_elements(engines):
    """Without forces and friction each atom keeps the velocity that it starts with."""
    cells = Cells.from_lists([[[1.0, 1, 1], [4.0, 4, 4]]], [np.eye(3) * 8], species=[[13, 29]])
    dynamics = make(engines.EinsteinEngine(cells, 0.0, cutoff=1.5), cells, friction_per_fs=0)
    velocities = dynamics.batch.velocities.copy()
    for _ in range(50):
        dynamics.step(member_forces=False)
    np.testing.assert_allclose(dynamics.batch.positions, cells.positions + 50 * velocities, atol=1e-12)
    masses = atomic_masses[[13, 29]] / units.fs**2
    energy = 0.5 * (masses[:, None] * velocities**2).sum()
    assert dynamics.temperatures()[0] == pytest.approx(energy / (3 * units.kB), rel=1e-12)


def test_springs_of_two_elements_swing_with_their_own_frequencies(engines):
    """Velocity Verlet of a spring turns by phi a step, cos phi = 1 - (omega dt)^2 / 2, omega^2 = stiffness / mass."""
    stiffness, time_step, n_steps = 2.0, 2.0, 37
    cells = Cells.from_lists([[[2.0, 2, 2], [6.0, 6, 6]]], [np.eye(3) * 9], species=[[13, 78]])
    dynamics = make(
        engines.EinsteinEngine(cells, stiffness), cells, temperature=100, time_step_fs=time_step, friction_per_fs=0
    )
    velocities = dynamics.batch.velocities.copy()
    for _ in range(n_steps):
        dynamics.step(member_forces=False)
    phi = np.arccos(1 - stiffness / (atomic_masses[[13, 78]] / units.fs**2) * time_step**2 / 2)
    expected = velocities * (time_step * np.sin(n_steps * phi) / np.sin(phi))[:, None]
    np.testing.assert_allclose(dynamics.batch.positions - cells.positions, expected, atol=1e-10)


def test_equipartition_between_two_elements(engines):
    """The thermostat gives light and heavy atoms the same kinetic energy, at the start and at the end."""
    n, temperature = 3000, 700.0
    generator = np.random.default_rng(0)
    numbers = np.where(np.arange(n) % 3, 13, 79)
    cells = Cells.from_lists([generator.uniform(0, 120, (n, 3))], [np.eye(3) * 120], species=[numbers])
    dynamics = make(
        engines.EinsteinEngine(cells, 0.0, cutoff=1.0),
        cells,
        temperature=temperature,
        friction_per_fs=0.02,
        time_step_fs=10,
    )
    for n_steps in (0, 60):
        for _ in range(n_steps):
            dynamics.step(member_forces=False)
        for number in (13, 79):
            chosen = numbers == number
            mass = atomic_masses[number] / units.fs**2
            found = mass * (dynamics.batch.velocities[chosen] ** 2).mean() / units.kB
            # The mean of 3 n squares of normal numbers scatters by sqrt(2 / (3 n)).
            assert found == pytest.approx(temperature, rel=4 * math.sqrt(2 / (3 * chosen.sum())))
