"""Meshes of k-points by their number per reciprocal atom."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aiida_anial.common.kpoints import SMALL_CELL, label_mesh, mesh_of_density


@pytest.mark.parametrize(('n_atoms', 'density'), [(1, 4000), (4, 1000), (17, 1000), (28, 1), (108, 1000)])
@pytest.mark.parametrize('edges', [(4.0, 4.0, 4.0), (4.1, 5.3, 8.4), (8.0, 8.1, 7.9)])
def test_a_mesh_has_enough_points_and_no_smaller_one_of_a_distance_has(n_atoms, density, edges):
    mesh = mesh_of_density(np.diag(edges), n_atoms, density)
    assert math.prod(mesh) * n_atoms >= density
    # The smallest distance between k-points at which a direction has one division less.
    lengths = 2 * np.pi / np.array(edges)
    distance = np.min(lengths / np.maximum(np.array(mesh) - 1, 1e-9)) * (1 + 1e-3)
    coarser = np.maximum(np.ceil(lengths / distance), 1)
    assert np.prod(coarser) * n_atoms < density or mesh == (1, 1, 1)


def test_equal_edges_have_equal_divisions_whatever_rounding_does():
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    assert len(set(mesh_of_density(4.05 * turn, 4, 1000))) == 1


def test_a_supercell_has_the_points_that_fold_into_it():
    small = mesh_of_density(np.diag([4.0, 4.0, 4.0]), 4, 4 * 6**3)
    large = mesh_of_density(np.diag([8.0, 8.0, 8.0]), 32, 4 * 6**3)
    assert small == (6, 6, 6)
    assert large == (3, 3, 3)


@pytest.mark.parametrize('n_atoms', [4, 8, 12, SMALL_CELL, 28, 108])
def test_small_cells_have_more_points(n_atoms):
    """The product with the square of the number of atoms has a bound below 20 atoms, that with the number above."""
    lattice = np.diag([4.1, 4.6, 5.2]) * (n_atoms / 5) ** (1 / 3)
    mesh = label_mesh(lattice, n_atoms, 800)
    assert math.prod(mesh) * n_atoms >= 800
    assert (mesh == mesh_of_density(lattice, n_atoms, 800)) == (n_atoms >= SMALL_CELL)
    if n_atoms < SMALL_CELL:
        assert math.prod(mesh) * n_atoms**2 >= 800 * SMALL_CELL
