import itertools

import numpy as np
import pytest
import vesin

from aiida_anial.common.cells import Cells
from aiida_anial.potential.neighbours import joined, neighbour_lists


def _by_brute_force(positions, lattice, cutoff):
    """Return the vectors to the neighbours of each atom, from all images in a generous range."""
    # Lattice planes are 1 / |reciprocal vector| apart.
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
    neighbours = joined(neighbour_lists(Cells.from_lists([positions], [lattice], species=13), cutoff=7.0))
    vectors = neighbours.vectors(positions)
    for atom, expected in enumerate(_by_brute_force(positions, lattice, 7.0)):
        np.testing.assert_allclose(_sorted(vectors[neighbours.centre == atom]), _sorted(expected), atol=1e-7)


def test_a_batch_is_its_cells_one_after_another(cells):
    together = joined(neighbour_lists(cells, cutoff=5.0))
    assert (np.diff(together.centre) >= 0).all()
    start = 0
    for index, (positions, lattice) in enumerate(cells):
        alone = joined(neighbour_lists(Cells.from_lists([positions], [lattice], species=13), cutoff=5.0))
        part = slice(start, start + len(alone.centre))
        np.testing.assert_array_equal(together.centre[part], alone.centre + cells.offsets[index])
        np.testing.assert_array_equal(together.neighbour[part], alone.neighbour + cells.offsets[index])
        np.testing.assert_array_equal(together.shift_vectors[part], alone.shift_vectors)
        start = part.stop
    assert start == len(together.centre)


def test_lonely_atoms_have_no_neighbours():
    neighbours = joined(
        neighbour_lists(Cells.from_lists([[[0, 0, 0]], [[1, 2, 3]]], [np.eye(3) * 20] * 2, species=13), cutoff=7.0)
    )
    assert neighbours.centre.shape == neighbours.neighbour.shape == (0,)
    assert neighbours.shift_vectors.shape == (0, 3)


def test_with_a_skin_the_list_outlives_the_motion_of_the_atoms(engine, cells):
    neighbours = engine.neighbours(cells, skin=0.6)
    assert neighbours[0].cutoff == pytest.approx(7.6)
    directions = np.random.default_rng(3).normal(size=cells.positions.shape)
    moved = cells.positions + 0.299 * directions / np.linalg.norm(directions, axis=1)[:, None]
    later = Cells(moved, cells.lattices, cells.offsets, cells.species)
    with_old_list = engine.evaluate(later, neighbours=neighbours, stress=True)
    with_new_list = engine.evaluate(later, stress=True)
    np.testing.assert_allclose(with_old_list.energies, with_new_list.energies, rtol=1e-14)
    np.testing.assert_allclose(with_old_list.forces, with_new_list.forces, atol=1e-12)
    np.testing.assert_allclose(with_old_list.stresses, with_new_list.stresses, atol=1e-14)


@pytest.mark.parametrize(
    ('n_atoms', 'edges'), [(400, (31, 15, 9)), (60, (4, 40, 7)), (5, (2.2, 2.2, 2.2)), (3, (90, 8, 8))]
)
@pytest.mark.parametrize('handed', [1, -1])
def test_pairs_are_those_of_an_independent_program(n_atoms, edges, handed):
    """Cells with many bins and with one, long along one axis, right-handed and left-handed."""
    generator = np.random.default_rng(n_atoms)
    lattice = handed * (np.diag(edges) + np.tril(generator.uniform(-2, 2, (3, 3)), -1))
    positions = generator.uniform(-2, 3, (n_atoms, 3)) @ lattice
    (ours,) = neighbour_lists(Cells.from_lists([positions], [lattice], species=13), cutoff=6.3)
    finder = vesin.NeighborList(cutoff=6.3, full_list=True)
    centre, neighbour, vectors = finder.compute(positions, lattice, periodic=True, quantities='ijD')
    assert len(ours.centre) == len(centre)
    found = np.column_stack([ours.centre, ours.neighbour, ours.vectors(positions)])
    expected = np.column_stack([centre, neighbour, vectors])
    np.testing.assert_allclose(_in_order(found), _in_order(expected), atol=1e-9)


def _in_order(rows):
    return rows[np.lexsort(np.round(rows, 5).T[::-1])]


def test_atoms_on_the_faces_of_the_cell_are_found_once():
    """Rounding may put such atoms on either side."""
    lattice = np.array([[4.05, 0, 0], [0.1, 4.05, 0], [0.3, 0.2, 4.05]])
    faces = np.array([[0, 0, 0], [-1e-17, 0.5, 0.5], [1 - 1e-16, 0.5, 0], [0.5, 1.0, 1e-17]]) @ lattice
    inside = faces + 0.01
    for cutoff in (3.0, 7.0):
        lists = [
            neighbour_lists(Cells.from_lists([p], [lattice], species=13), cutoff=cutoff)[0] for p in (faces, inside)
        ]
        vectors = [_in_order(part.vectors(p)) for part, p in zip(lists, (faces, inside), strict=True)]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-12)


def test_more_pairs_than_usual_are_all_found():
    """Twenty atoms in a corner of a large cell have many times the neighbours of a uniform density."""
    positions = np.random.default_rng(0).uniform(0, 2, (20, 3))
    (pairs,) = neighbour_lists(Cells.from_lists([positions], [np.eye(3) * 40], species=13), cutoff=7.0)
    np.testing.assert_array_equal(np.diff(pairs.starts), 19)
