"""Phonons against springs between nearest neighbours, and against those of ASE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.data import atomic_masses
from ase.phonons import Phonons as AsePhonons
from ase.units import _amu, _e
from scipy.integrate import trapezoid

from aiida_anial.properties.evaluation import evaluate_all
from aiida_anial.properties.phonons import TICK_LABELS, Phonons, PhononSettings

A = 4.0
START = {'lattice_constant': A}
NEIGHBOUR = A / np.sqrt(2)
SIGMA = NEIGHBOUR / 2 ** (1 / 6)
EPSILON = 0.4
SETTINGS = PhononSettings(supercell=2, displacement_angstrom=0.001, n_points=11, n_mesh=12)
SPRINGS = LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=1.2 * NEIGHBOUR)
# From eV/angstrom^2/u to (rad/ps)^2.
ANGULAR = _e / (1e-10) ** 2 / _amu * 1e-24


@pytest.fixture(scope='module')
def springs():
    """Phonons of a crystal whose bonds have their equilibrium length."""
    phonons = Phonons(SETTINGS)
    return phonons.analyse(START, evaluate_all(phonons.tasks(START), SPRINGS))


def in_thz(square):
    """Return the frequency of an eigenvalue in units of the spring constant: phi'' = 57.146 epsilon / sigma^2."""
    spring = EPSILON / SIGMA**2 * (624 * 2 ** (-14 / 6) - 168 * 2 ** (-8 / 6))
    return np.sqrt(square * spring / atomic_masses[13] * ANGULAR) / (2 * np.pi)


def test_frequencies_of_springs(springs):
    """Sums of 2 k (1 - cos q.d) dd over the six pairs of neighbours, see Ashcroft and Mermin, chapter 22."""
    expected = {
        'x_longitudinal': 8,
        'x_transverse': 4,
        'l_longitudinal': 8,
        'l_transverse': 2,
        'k_highest': 4 + 2 * np.sqrt(2),
    }
    for name, square in expected.items():
        assert springs.quantities[name].value == pytest.approx(in_thz(square), rel=1e-4), name
        assert springs.quantities[name].unit == 'THz'
    assert springs.quantities['lowest'].value == 0.0
    assert springs.notes == ()


def test_branches_of_springs(springs):
    """Squares are 4 k (1 - cos(q a / 2)) and, twofold, half of it along [100]; similarly along [111] with sqrt(3) a."""
    curves = springs.curves
    ticks = curves['tick_distances_per_angstrom']
    for start, end, step, squares in ((0, 1, A / 2, (4, 2, 2)), (3, 4, A / np.sqrt(3), (4, 1, 1))):
        chosen = np.r_[start * 11 : start * 11 + 11]
        q = curves['distance_per_angstrom'][chosen] - ticks[start]
        assert q[-1] == pytest.approx(ticks[end] - ticks[start])
        for branch, square in zip((2, 1, 0), squares, strict=True):
            expected = in_thz(square * (1 - np.cos(q * step)))
            np.testing.assert_allclose(curves['frequencies_thz'][chosen, branch], expected, atol=2e-3)


def test_path_has_the_lengths_of_the_zone(springs):
    """Gamma-X, X-U, K-Gamma and Gamma-L are 1, sqrt(1/8), sqrt(9/8) and sqrt(3/4) of 2 pi / a."""
    curves = springs.curves
    lengths = np.diff(curves['tick_distances_per_angstrom'])
    np.testing.assert_allclose(lengths * A / (2 * np.pi), np.sqrt([1, 1 / 8, 9 / 8, 3 / 4]), rtol=1e-12)
    assert len(TICK_LABELS) == len(curves['tick_distances_per_angstrom'])
    assert curves['frequencies_thz'].shape == (44, 3)
    # U and K are equivalent points of the zone.
    np.testing.assert_allclose(curves['frequencies_thz'][21], curves['frequencies_thz'][22], atol=1e-6)
    assert all(array.dtype == np.float64 for array in curves.values())


def test_density_of_states_has_three_branches(springs):
    frequencies, states = springs.curves['dos_frequency_thz'], springs.curves['dos_per_thz']
    assert trapezoid(states, frequencies) == pytest.approx(3.0, rel=0.02)
    assert states.min() >= 0
    assert frequencies[states > 1e-6].max() == pytest.approx(in_thz(8), rel=0.01)


def test_frequencies_are_those_of_ase(tmp_path):
    """At wave vectors that both supercells represent; EMT reaches beyond nearest neighbours."""
    phonons = Phonons(SETTINGS)
    quantities = phonons.analyse(START, evaluate_all(phonons.tasks(START), EMT())).quantities
    other = AsePhonons(bulk('Al', 'fcc', a=A), EMT(), supercell=(4, 4, 4), delta=0.001, name=str(tmp_path / 'phonons'))
    other.run()
    other.read(acoustic=True)
    in_ev = other.band_structure([[0.5, 0.0, 0.5], [0.5, 0.5, 0.5]], verbose=False)
    thz = np.asarray(in_ev) / 4.135667696e-3
    for point, found in zip('xl', thz, strict=True):
        assert quantities[f'{point}_transverse'].value == pytest.approx(found[:2].mean(), rel=1e-3)
        assert quantities[f'{point}_longitudinal'].value == pytest.approx(found[2], rel=1e-3)


def test_one_atom_is_displaced():
    tasks = Phonons(SETTINGS).tasks(START)
    assert list(tasks) == ['displaced_0']
    atoms = tasks['displaced_0'].atoms
    assert tasks['displaced_0'].relaxation == 'none'
    assert len(atoms) == 32
    crystal = atoms.copy()
    crystal.set_scaled_positions(np.round(4 * atoms.get_scaled_positions()) / 4)
    displacements = np.linalg.norm(atoms.positions - crystal.positions, axis=1)
    assert np.sort(displacements)[-2:].tolist() == pytest.approx([0.0, 0.001], abs=1e-9)


def test_a_crystal_stretched_too_far_is_unstable():
    """Beyond the inflection point of its potential, a bond has a negative stiffness."""
    phonons = Phonons(SETTINGS)
    stretched = LennardJones(sigma=SIGMA / 1.15, epsilon=EPSILON, rc=1.2 * NEIGHBOUR)
    result = phonons.analyse(START, evaluate_all(phonons.tasks(START), stretched))
    assert result.quantities['lowest'].value < -1
    assert result.quantities['x_longitudinal'].value < 0
    assert 'dynamically unstable' in result.notes[0]


def test_frequencies_go_with_the_root_of_the_forces(springs):
    """Twice the forces are sqrt(2) times the frequencies."""
    phonons = Phonons(SETTINGS)
    doubled = {
        name: replace(one, forces=2 * one.forces) for name, one in evaluate_all(phonons.tasks(START), SPRINGS).items()
    }
    quantity = phonons.analyse(START, doubled).quantities['l_longitudinal']
    assert quantity.value == pytest.approx(np.sqrt(2) * springs.quantities['l_longitudinal'].value, rel=1e-9)
