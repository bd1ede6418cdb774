"""The fit of the equation of state to energies integrated from the Birch-Murnaghan pressure."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from scipy.integrate import quad

from aiida_anial.properties.equation_of_state import fit_equation_of_state

V0, B0, B0_PRIME = 16.5, 77.0, 4.6


def pressure(volume: float) -> float:
    """Birch-Murnaghan pressure in eV/angstrom^3."""
    x = (V0 / volume) ** (1 / 3)
    return 1.5 * B0 * units.GPa * (x**7 - x**5) * (1 + 0.75 * (B0_PRIME - 4) * (x**2 - 1))


def energies(volumes: np.ndarray) -> np.ndarray:
    return np.array([-quad(pressure, V0, volume, epsabs=1e-12)[0] for volume in volumes])


@pytest.mark.parametrize('offset', [0.0, -74.475, -19.6e3])
def test_the_fit_finds_the_parameters_of_the_pressure_whatever_the_zero_of_the_energy(offset):
    volumes = np.linspace(0.88, 1.1, 9) * V0
    fit = fit_equation_of_state(volumes, energies(volumes) + offset)
    assert fit.volume == pytest.approx(V0, rel=1e-9)
    assert fit.energy == pytest.approx(offset, abs=1e-8)
    assert fit.bulk_modulus == pytest.approx(B0, rel=1e-8)
    assert fit.bulk_modulus_derivative == pytest.approx(B0_PRIME, rel=1e-7)


def test_the_order_of_the_points_does_not_matter():
    volumes = np.linspace(0.9, 1.1, 7) * V0
    noisy = energies(volumes) + 1e-3 * np.cos(np.arange(7.0))
    order = [3, 0, 6, 2, 5, 1, 4]
    one, other = fit_equation_of_state(volumes, noisy), fit_equation_of_state(volumes[order], noisy[order])
    assert one.volume == pytest.approx(other.volume, rel=1e-12)
    assert one.bulk_modulus == pytest.approx(other.bulk_modulus, rel=1e-10)


@pytest.mark.parametrize(('low', 'high'), [(1.02, 1.2), (0.8, 0.98)])
def test_a_minimum_outside_the_range_is_refused(low, high):
    volumes = np.linspace(low, high, 7) * V0
    with pytest.raises(ValueError, match='no minimum within the range'):
        fit_equation_of_state(volumes, energies(volumes))


def test_a_maximum_is_no_minimum():
    volumes = np.linspace(0.9, 1.1, 7) * V0
    with pytest.raises(ValueError, match='no minimum'):
        fit_equation_of_state(volumes, -energies(volumes))


def test_three_points_are_too_few():
    with pytest.raises(ValueError, match='3 points are too few'):
        fit_equation_of_state([15.0, 16.0, 17.0], [1.0, 0.0, 1.0])
