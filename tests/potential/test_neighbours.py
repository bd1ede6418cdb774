import itertools

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.potential.neighbours import neighbour_list


def _by_brute_force(positions, lattice, cutoff):
    """Return the sorted distance vectors of each atom's neighbours, from all images up to a generous shell."""
    # Planes of the lattice are 1 / |reciprocal vector| apart.
    spans = np.ceil((cutoff + 20.0) * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int)
    shifts = np.array(list(itertools.product(*[range(-span, span + 1) for span in spans]))) @ lattice
    found = []
    for position in positions:
        vectors = (positions[:, None] + shifts - position).reshape(-1, 3)
        distances = np.linalg.norm(vectors, axis=1)
        found.append(vectors[(distances < cutoff) & (distances > 1e-9)])
    return found


def _sorted(vectors):
    return np.array(sorted(vectors.round(8).tolist()))


@pytest.mark.parametrize(('n_atoms', 'shear'), [(1, 0.0), (1, 0.4), (2, 0.6), (9, 0.25), (40, 0.1)])
def test_all_neighbours_are_found_in_cells_of_any_size_and_shape(make_cell, n_atoms, shear):
    positions, lattice = make_cell(n_atoms, seed=2, shear=shear)
    # Atoms may have left the cell.
    positions = positions + np.arange(n_atoms)[:, None] % 3 * lattice[0] - lattice[2]
    neighbours = neighbour_list(Cells.from_lists([positions], [lattice]), cutoff=7.0)
    vectors = neighbours.vectors(positions)
    for atom, expected in enumerate(_by_brute_force(positions, lattice, 7.0)):
        np.testing.assert_allclose(_sorted(vectors[neighbours.centre == atom]), _sorted(expected), atol=1e-7)


def test_a_batch_is_its_cells_one_after_another(cells):
    together = neighbour_list(cells, cutoff=5.0)
    assert (np.diff(together.centre) >= 0).all()
    start = 0
    for index, (positions, lattice) in enumerate(cells):
        alone = neighbour_list(Cells.from_lists([positions], [lattice]), cutoff=5.0)
        part = slice(start, start + len(alone.centre))
        np.testing.assert_array_equal(together.centre[part], alone.centre + cells.offsets[index])
        np.testing.assert_array_equal(together.neighbour[part], alone.neighbour + cells.offsets[index])
        np.testing.assert_array_equal(together.shift_vectors[part], alone.shift_vectors)
        start = part.stop
    assert start == len(together.centre)


def test_lonely_atoms_have_no_neighbours():
    neighbours = neighbour_list(Cells.from_lists([[[0, 0, 0]], [[1, 2, 3]]], [np.eye(3) * 20] * 2), cutoff=7.0)
    assert neighbours.centre.shape == neighbours.neighbour.shape == (0,)
    assert neighbours.shift_vectors.shape == (0, 3)


def test_with_a_skin_the_list_outlives_the_motion_of_the_atoms(engine, cells):
    neighbours = engine.neighbours(cells, skin=0.6)
    assert neighbours.cutoff == pytest.approx(7.6)
    directions = np.random.default_rng(3).normal(size=cells.positions.shape)
    moved = cells.positions + 0.299 * directions / np.linalg.norm(directions, axis=1)[:, None]
    later = Cells(moved, cells.lattices, cells.offsets)
    with_old_list = engine.evaluate(later, neighbours=neighbours, stress=True)
    with_new_list = engine.evaluate(later, stress=True)
    np.testing.assert_allclose(with_old_list.energies, with_new_list.energies, rtol=1e-14)
    np.testing.assert_allclose(with_old_list.forces, with_new_list.forces, atol=1e-12)
    np.testing.assert_allclose(with_old_list.stresses, with_new_list.stresses, atol=1e-14)
