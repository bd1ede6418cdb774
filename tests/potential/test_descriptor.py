import itertools

import numpy as np
import pytest
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.descriptor import descriptors
from aiida_anial.potential.neighbours import joined, neighbour_lists
from aiida_anial.potential.settings import DescriptorSettings

SETTINGS = DescriptorSettings()


def _descriptors(positions, lattice, settings=SETTINGS, dtype=torch.float64):
    cells = Cells.from_lists([positions], [lattice], species=13)
    neighbours = joined(neighbour_lists(cells, cutoff=settings.radial_cutoff_angstrom))
    return descriptors(torch.tensor(cells.positions, dtype=dtype), neighbours, settings).numpy()


def _from_definition(vectors, settings):
    """Return the descriptor of one atom from the vectors to its neighbours, by the published formulas."""
    radial = np.zeros(settings.n_radial)
    for r in np.linalg.norm(vectors, axis=1):
        cutoff = 0.5 * np.cos(np.pi * r / settings.radial_cutoff_angstrom) + 0.5
        shifts = np.array(settings.radial_shifts_angstrom)
        radial += 0.25 * np.exp(-settings.radial_eta_per_angstrom2 * (r - shifts) ** 2) * cutoff
    near = [v for v in vectors if np.linalg.norm(v) < settings.angular_cutoff_angstrom]
    angular = np.zeros((len(settings.angular_shifts_angstrom), len(settings.angle_shifts_rad)))
    for one, two in itertools.combinations(near, 2):
        r_one, r_two = np.linalg.norm(one), np.linalg.norm(two)
        theta = np.arccos(0.95 * one @ two / r_one / r_two)
        cutoffs = [0.5 * np.cos(np.pi * r / settings.angular_cutoff_angstrom) + 0.5 for r in (r_one, r_two)]
        middle = (r_one + r_two) / 2 - np.array(settings.angular_shifts_angstrom)
        angles = (1 + np.cos(theta - np.array(settings.angle_shifts_rad))) / 2
        gaussians = np.exp(-settings.angular_eta_per_angstrom2 * middle**2)
        angular += 2 * np.prod(cutoffs) * np.outer(gaussians, angles**settings.angular_zeta)
    return np.concatenate([radial, angular.ravel()])


OTHER = DescriptorSettings(
    radial_cutoff_angstrom=5.5,
    angular_cutoff_angstrom=4.0,
    radial_eta_per_angstrom2=9.0,
    radial_shifts_angstrom=(1.0, 2.5, 3.0),
    angular_eta_per_angstrom2=3.0,
    angular_shifts_angstrom=(1.5, 2.0, 3.5),
    angular_zeta=7.0,
    angle_shifts_rad=(0.3, 2.0),
)


@pytest.mark.parametrize('settings', [SETTINGS, OTHER])
@pytest.mark.parametrize('n_atoms', [1, 4])
def test_descriptors_follow_their_definition(make_cell, settings, n_atoms):
    positions, lattice = make_cell(n_atoms, seed=4, volume=24.0)
    batch = Cells.from_lists([positions], [lattice], species=13)
    neighbours = joined(neighbour_lists(batch, cutoff=settings.radial_cutoff_angstrom))
    vectors = neighbours.vectors(positions)
    expected = [_from_definition(vectors[neighbours.centre == atom], settings) for atom in range(n_atoms)]
    np.testing.assert_allclose(_descriptors(positions, lattice, settings), expected, rtol=1e-10, atol=1e-13)


def test_a_pair_has_no_angular_terms():
    g = _descriptors([[1.0, 1.0, 1.0], [3.8, 1.0, 1.0]], np.eye(3) * 30)
    r, shifts = 2.8, np.array(SETTINGS.radial_shifts_angstrom)
    radial = 0.25 * np.exp(-43.9 * (r - shifts) ** 2) * np.cos(np.pi * r / 14.0) ** 2
    np.testing.assert_allclose(g[:, :32], np.stack([radial, radial]), rtol=1e-12, atol=1e-25)
    assert (g[:, 32:] == 0).all()


def test_an_atom_without_neighbours_has_a_descriptor_of_zeros():
    assert (_descriptors([[0.0, 0.0, 0.0]], np.eye(3) * 15) == 0).all()
    # Also in a cell with other atoms.
    g = _descriptors([[0.0, 0.0, 0.0], [20.0, 20.0, 20.0], [22.0, 20.0, 20.0]], np.eye(3) * 40)
    assert (g[0] == 0).all()
    assert (g[1] != 0).any()


def test_descriptors_vanish_smoothly_at_the_cutoff():
    just_inside = _descriptors([[0.0, 0.0, 0.0], [6.9999, 0.0, 0.0]], np.eye(3) * 30)
    assert 0 < just_inside.max() < 1e-9
    assert (_descriptors([[0.0, 0.0, 0.0], [7.0001, 0.0, 0.0]], np.eye(3) * 30) == 0).all()


def test_single_precision_is_as_good_as_it_can_be(make_cell):
    positions, lattice = make_cell(12, seed=5)
    exact = _descriptors(positions, lattice)
    single = _descriptors(positions, lattice, dtype=torch.float32)
    assert single.dtype == np.float32
    # The slopes of the descriptors reach 5 / A, and float32 has positions of 7 A to 2e-7 A.
    np.testing.assert_allclose(single, exact, atol=2e-5)


def test_atoms_in_a_row_and_close_contacts_stay_finite():
    # Angles of 0 and pi, and a distance far below all shifts.
    g = _descriptors([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [2.5, 0.0, 0.0]], np.eye(3) * 30, dtype=torch.float32)
    assert np.isfinite(g).all()
