"""A wave by ASE: the crystal before it, and conservation laws along it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.calculators.emt import EMT
from ase.data import atomic_masses, atomic_numbers

from aiida_anial.shock.hugoniot import hugoniot_point, steady_profiles
from aiida_anial.shock.settings import WaveSettings
from aiida_anial.shock.wave_dynamics import equilibrated, run_wave

pytestmark = pytest.mark.slow

VELOCITY = 1.5
SETTINGS = WaveSettings(
    direction='100', repeats=(2, 30, 2), equilibration_ps=0.3, time_ps=1.1, time_step_fs=2.0, profile_interval_steps=20
)


@pytest.fixture(scope='module')
def crystal():
    return equilibrated(EMT(), SETTINGS, seed=1)


@pytest.fixture(scope='module')
def wave(crystal):
    return run_wave(crystal, SETTINGS, VELOCITY)


def test_the_crystal_is_at_its_temperature_and_free_along_its_surfaces(crystal):
    assert len(crystal) == SETTINGS.n_atoms
    # 480 atoms have a temperature to 4 %.
    assert crystal.get_temperature() == pytest.approx(300, rel=0.15)
    assert crystal.cell.angles() == pytest.approx(90)
    # The barostat moved the edges along x and z only.
    height = SETTINGS.edges_angstrom[1]
    assert crystal.cell[1, 1] == pytest.approx(height + 25)
    assert crystal.cell[0, 0] != SETTINGS.edges_angstrom[0]
    assert np.ptp(crystal.positions[:, 1]) < height + 2


@pytest.mark.parametrize('direction', ['100', '110'])
def test_the_crystal_has_the_edges_that_the_settings_say(direction):
    settings = SETTINGS.model_copy(update={'direction': direction, 'equilibration_ps': 0.001})
    crystal = equilibrated(EMT(), settings, seed=1)
    assert len(crystal) == settings.n_atoms
    x, y, z = settings.edges_angstrom
    assert crystal.cell.lengths() == pytest.approx([x, y + 25, z], abs=0.01)


def test_the_impact_leaves_the_crystal_as_it_was(crystal):
    before = crystal.copy()
    run_wave(crystal, SETTINGS.model_copy(update={'time_ps': 0.04}), VELOCITY)
    assert crystal == before
    np.testing.assert_array_equal(crystal.get_momenta(), before.get_momenta())
    assert not crystal.constraints


def test_the_push_of_the_piston_is_what_changes_the_momentum(crystal, wave):
    profiles, mass = wave.profiles, atomic_masses[atomic_numbers['Al']]
    # km/s to ASE's unit of velocity.
    velocities = np.nan_to_num(profiles.velocities[..., 1]) * 1000 * units.m / units.second
    momenta = mass * (profiles.counts * velocities).sum(axis=1)
    area = crystal.cell[0, 0] * crystal.cell[2, 2]
    forces = wave.stresses_on_piston * units.GPa * area
    seconds = np.diff(profiles.times_ps) * 1000 * units.fs
    impulse = (0.5 * (forces[1:] + forces[:-1]) * seconds).sum()
    assert momenta[-1] - momenta[0] == pytest.approx(impulse, rel=0.02)


def test_all_atoms_are_counted_and_the_piston_rests(wave):
    profiles = wave.profiles
    assert profiles.counts.sum(axis=1) == pytest.approx(SETTINGS.n_atoms)
    np.testing.assert_allclose(profiles.velocities[:, 0], 0, atol=1e-12)
    assert profiles.velocities[0, 15, 1] == pytest.approx(-VELOCITY, abs=0.2)


def test_the_state_behind_the_wave_conserves_momentum_and_mass(wave):
    point = hugoniot_point(wave.profiles, VELOCITY, SETTINGS.piston_angstrom)
    rows = steady_profiles(wave.profiles, VELOCITY)
    momentum = point['initial_density'].value * point['shock_velocity'].value * VELOCITY
    assert wave.stresses_on_piston[rows].mean() == pytest.approx(momentum, rel=0.1)
    assert point['density'].value == pytest.approx(point['density_by_mass_conservation'].value, rel=0.05)
    assert point['density'].value > 1.1 * point['initial_density'].value
