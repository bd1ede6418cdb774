"""Hugoniot points of waves whose velocity and states are given."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.common.errors import AnialError
from aiida_anial.shock.hugoniot import front_positions, hugoniot_point, measured_velocity
from aiida_anial.shock.wave_output import Profiles

U, US, RHO = 1.5, 7.5, 2.7
PISTON = 10.0


def profiles_of(*, n_times: int = 40, length: float = 200.0, width: float = 4.0) -> Profiles:
    """A sharp front that leaves the foot of the piston at once, until it reaches the free surface."""
    times = 0.05 * (np.arange(n_times) + 0.5)
    positions = width * (np.arange(int(1.2 * length / width)) + 0.5)
    tops = length - 10 * U * times
    shares = np.clip((10 * (US - U) * times[:, None] - positions) / width + 0.5, 0, 1)  # of a slice behind the front
    there = positions < tops[:, None]
    behind = RHO * US / (US - U)
    density = np.where(there, RHO + shares * (behind - RHO), np.nan)

    def along(ahead: float, after: float) -> np.ndarray:
        return np.where(there, ahead + shares * (after - ahead), np.nan)

    velocity = np.stack([along(0, 0), along(-U, 0), along(0, 0)], axis=-1)
    stress = np.stack([along(0, 20), along(0, RHO * US * U), along(0, 22)], axis=-1)
    temperature = np.stack([along(300, 700), along(300, 900), along(300, 720)], axis=-1)
    return Profiles(
        times_ps=times,
        positions=positions,
        counts=np.where(there, 100 * np.nan_to_num(density) / RHO, 0.0),
        densities=density,
        velocities=velocity,
        temperatures=temperature,
        stresses=stress,
        energies=along(-3.0, -2.5),
        disagreements=along(0.01, 0.02),
    )


def test_a_wave_of_known_velocity_obeys_the_conservation_laws():
    found = {name: one.value for name, one in hugoniot_point(profiles_of(), U, PISTON).items()}
    assert found['shock_velocity'] == pytest.approx(US, rel=0.005)
    assert found['stress_along_wave'] == pytest.approx(RHO * US * U)
    assert found['stress_by_momentum_conservation'] == pytest.approx(RHO * US * U, rel=0.005)
    assert found['density'] == pytest.approx(RHO * US / (US - U))
    assert found['density_by_mass_conservation'] == pytest.approx(RHO * US / (US - U), rel=0.002)
    assert found['temperature'] == pytest.approx(710)
    assert found['initial_temperature'] == pytest.approx(300)
    assert (found['initial_density'], found['force_disagreement']) == (pytest.approx(RHO), pytest.approx(0.02))


def test_the_front_is_followed_within_a_slice_until_it_leaves_the_crystal():
    profiles = profiles_of()
    fronts = front_positions(profiles, U)
    true = 10 * (US - U) * profiles.times_ps
    inside = np.isfinite(fronts)
    np.testing.assert_allclose(fronts[inside], true[inside], atol=2.5)
    arrival = 20 / US * 10 / 10
    assert profiles.times_ps[inside][-1] < arrival + 0.3


def test_a_wave_that_hardly_began_gives_no_velocity():
    with pytest.raises(AnialError, match=r'the wave is in [0-3] profiles, and 4 give a velocity: raise repeats'):
        hugoniot_point(profiles_of(n_times=3), U, PISTON)


def test_the_line_through_the_experiments_is_that_of_aluminium():
    # Sound: 5.386 km/s is the bulk velocity sqrt(B / rho) of 77 to 79 GPa.
    assert 2.7 * measured_velocity(0.0) ** 2 == pytest.approx(78, abs=1)
