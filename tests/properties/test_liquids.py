"""Analyses of liquids, against closed forms and another library."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry.rdf import get_rdf

from aiida_anial.properties.liquids import (
    diffusion,
    finite_size_correction,
    mean_square_displacement,
    radial_distribution,
    velocity_spectrum,
)


def test_the_radial_distribution_is_that_of_ase():
    atoms = bulk('Al', cubic=True) * 5
    frames = []
    for seed in (1, 2):
        one = atoms.copy()
        one.rattle(0.3, seed=seed)
        frames.append(one)
    edges = atoms.cell.lengths()
    distances, found = radial_distribution(
        np.array([frame.positions + 50.0 for frame in frames]), edges, r_max=10.0, bin_angstrom=0.05
    )
    expected = np.mean([get_rdf(frame, 10.0, 200)[0] for frame in frames], axis=0)
    assert distances[0] == pytest.approx(0.025)
    # ASE takes the volume of a shell to be its area times its width, and N - 1 neighbours for N.
    shells = (3 * distances**2 + 0.05**2 / 4) / (3 * distances**2)
    np.testing.assert_allclose(found * shells, expected, rtol=0.01, atol=1e-9)


def test_atoms_at_random_have_no_structure():
    positions = np.random.default_rng(1).uniform(0, 30, (20, 1000, 3))
    distances, found = radial_distribution(positions, np.full(3, 30.0), r_max=12.0, bin_angstrom=0.5)
    np.testing.assert_allclose(found[distances > 3], 1.0, atol=0.03)
    with pytest.raises(ValueError, match='too small for distances up to 16'):
        radial_distribution(positions, np.full(3, 30.0), r_max=16.0, bin_angstrom=0.5)


def test_a_random_walk_diffuses_as_it_must():
    sigma, interval_ps = 0.3, 0.1
    steps = np.random.default_rng(2).normal(0, sigma, (400, 2000, 3))
    drift = np.linspace(0, 50, 400)[:, None, None]
    displacements = mean_square_displacement(steps.cumsum(axis=0) + drift)
    assert displacements[0].max() == 0
    found = diffusion(displacements, interval_ps, from_ps=1.0)
    # D = sigma^2 / (2 dt), 0.45 angstrom^2/ps
    assert found.value == pytest.approx(10 * sigma**2 / (2 * interval_ps), rel=0.02)
    assert abs(found.value - 4.5) < 4 * found.uncertainty


def test_the_correction_for_the_size_falls_with_the_edge():
    # k T / (6 pi eta L) at 1000 K, 1 mPa s and 10 angstrom: 0.7325e-9 m^2/s.
    assert finite_size_correction(1000, 10, 1.0) == pytest.approx(2.837297 * 0.7325, rel=1e-3)
    assert finite_size_correction(1000, 20, 1.0) == pytest.approx(finite_size_correction(1000, 10, 1.0) / 2)


def test_the_spectrum_shows_the_frequencies_of_oscillators():
    times = np.arange(2000) * 0.01
    phases = np.random.default_rng(3).uniform(0, 2 * np.pi, (50, 3))
    velocities = np.cos(2 * np.pi * 4.0 * times[:, None, None] + phases)
    frequencies, spectrum = velocity_spectrum(velocities, 0.01)
    assert frequencies[spectrum.argmax()] == pytest.approx(4.0, abs=0.05)
    assert np.trapezoid(spectrum, frequencies) == pytest.approx(1.0)
    assert spectrum[np.abs(frequencies - 4.0) > 0.5].max() < 1e-3 * spectrum.max()


def test_a_gas_has_no_structure_in_a_cell_of_any_shape():
    atoms = Atoms('Al2', positions=[[0, 0, 0], [0, 0, 2.0]], cell=[10, 12, 14], pbc=True)
    distances, found = radial_distribution(atoms.positions[None], atoms.cell.lengths(), r_max=5.0, bin_angstrom=0.1)
    (peak,) = np.flatnonzero(found)
    assert abs(distances[peak] - 2.0) < 0.1
