"""Closest contacts against ASE's neighbour lists."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_anial.common.cells import Cells
from aiida_anial.potential.neighbours import neighbour_lists
from aiida_anial.sampling.loops import closest_contact


def closest(*cells: tuple) -> np.ndarray:
    batch = Cells.from_lists([positions for positions, _ in cells], [lattice for _, lattice in cells], species=13)
    lists = neighbour_lists(batch, cutoff=5.0)
    return np.array([closest_contact(positions, pairs) for (positions, _), pairs in zip(batch, lists, strict=True)])


def test_random_sheared_cells():
    generator = np.random.default_rng(0)
    cells = [
        (generator.uniform(-9, 9, (n, 3)), np.eye(3) * size + generator.uniform(-1, 1, (3, 3)))
        for n, size in [(1, 3.0), (2, 3.5), (9, 6.0), (40, 9.0)]
    ]
    expected = [neighbor_list('d', Atoms(f'Al{len(p)}', p, cell=cell, pbc=True), 5.0).min() for p, cell in cells]
    np.testing.assert_allclose(closest(*cells), expected, rtol=1e-12)


def test_own_image_is_a_contact():
    assert closest(([[0.2, 0.3, 0.4]], np.diag([4.0, 1.3, 4.0])))[0] == pytest.approx(1.3)


def test_across_the_boundary():
    assert closest(([[0.3, 2, 2], [5.8, 2, 2]], np.eye(3) * 6))[0] == pytest.approx(0.5)


def test_far_apart_is_infinite_and_does_not_shift_the_others():
    lonely = ([[0.0, 0, 0]], np.eye(3) * 20)
    pair = ([[0.0, 0, 0], [2.5, 0, 0]], np.eye(3) * 20)
    np.testing.assert_allclose(closest(lonely, pair, lonely, lonely), [np.inf, 2.5, np.inf, np.inf])
