"""Batches of cells: round trips, and refusal of impossible cells."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, write_tensors

LATTICE = 4.0 * np.eye(3)


def batch() -> Cells:
    generator = np.random.default_rng(0)
    lattices = [generator.uniform(3, 5) * np.eye(3) + 0.1 * generator.standard_normal((3, 3)) for _ in range(3)]
    return Cells.from_lists([generator.uniform(0, 3, (n, 3)) for n in (2, 1, 4)], lattices, species=13)


def test_cells_come_out_as_they_went_in():
    positions, lattices = [np.full((2, 3), 0.5), np.full((3, 3), 1.5)], [LATTICE, 2 * LATTICE]
    cells = Cells.from_lists(positions, lattices, species=13)
    for (found, lattice), expected, expected_lattice in zip(cells, positions, lattices, strict=True):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(lattice, expected_lattice)
    assert cells.n_atoms.tolist() == [2, 3]
    assert cells.cell_of_atom.tolist() == [0, 0, 1, 1, 1]


def test_the_volume_of_a_skewed_cell_is_its_triple_product_whatever_its_handedness():
    a, b, c = np.array([3.0, 0, 0]), np.array([1.0, 2.5, 0]), np.array([0.3, 0.2, -4.0])
    cells = Cells.from_lists([np.zeros((1, 3))], [np.stack([a, b, c])], species=13)
    assert cells.volumes[0] == pytest.approx(abs(np.dot(a, np.cross(b, c))))


def test_selection_keeps_the_order_that_was_asked_for():
    cells = batch()
    chosen = cells.select([2, 0])
    np.testing.assert_array_equal(chosen.one(0)[0], cells.one(2)[0])
    np.testing.assert_array_equal(chosen.one(1)[1], cells.one(0)[1])
    assert len(cells.select([])) == 0


def test_a_file_gives_the_same_cells(tmp_path):
    cells = batch()
    cells.write(tmp_path / 'cells.safetensors')
    found = Cells.read(tmp_path / 'cells.safetensors')
    for name in ('positions', 'lattices', 'offsets', 'species'):
        np.testing.assert_array_equal(getattr(found, name), getattr(cells, name))


def test_a_file_without_an_array_is_refused_by_its_name(tmp_path):
    content = batch().content()
    for missing in ('offsets', 'species'):
        arrays = {name: array for name, array in content.arrays.items() if name != missing}
        path = tmp_path / 'cells.safetensors'
        write_tensors(path, TensorFile(content.kind, content.schema_version, content.metadata, arrays))
        with pytest.raises(FileFormatError, match=rf'cells\.safetensors: .*{missing}'):
            Cells.read(path)


@pytest.mark.parametrize(
    ('positions', 'lattices', 'offsets'),
    [
        (np.zeros((2, 3)), LATTICE[None], [0, 3]),
        (np.zeros((2, 3)), LATTICE[None], [1, 2]),
        (np.zeros((2, 3)), LATTICE[None], [0, 1, 2]),
        (np.zeros((2, 3)), np.stack([LATTICE] * 2), [0, 2, 2]),
        (np.zeros((2, 3)), np.stack([LATTICE] * 3), [0, 2, 1, 2]),
        (np.zeros((2, 2)), LATTICE[None], [0, 2]),
        (np.zeros((2, 3)), LATTICE[None, :2], [0, 2]),
        (np.full((2, 3), np.nan), LATTICE[None], [0, 2]),
        (np.zeros((2, 3)), np.full((1, 3, 3), np.inf), [0, 2]),
        (np.zeros((2, 3)), np.ones((1, 3, 3)), [0, 2]),
        (np.zeros((2, 3)), np.diag([4.0, 4.0, 0.0])[None], [0, 2]),
    ],
)
def test_impossible_cells_are_refused(positions, lattices, offsets):
    with pytest.raises(AnialError, match=r'^cells: '):
        Cells(positions, lattices, np.array(offsets, dtype=np.int64), np.full(len(positions), 13, dtype=np.int16))


def test_moved_atoms_keep_the_cells_and_what_is_known_of_them():
    cells = batch()
    volumes = cells.volumes
    moved = cells.moved(cells.positions + 1.0)
    np.testing.assert_array_equal(moved.positions, cells.positions + 1.0)
    assert moved.volumes is volumes
    assert moved.offsets is cells.offsets
    for wrong in (cells.positions[1:], np.where(cells.positions > 2, np.nan, cells.positions)):
        with pytest.raises(AnialError, match='do not fit or are not finite'):
            cells.moved(wrong)


def test_every_atom_keeps_its_species_wherever_its_cell_goes(tmp_path):
    cells = Cells.from_lists([np.zeros((2, 3)), np.ones((3, 3))], [LATTICE] * 2, species=[[13, 28], [29, 13, 28]])
    assert cells.species_of(1).tolist() == [29, 13, 28]
    assert cells.select([1, 0]).species.tolist() == [29, 13, 28, 13, 28]
    assert cells.moved(cells.positions + 1).species.tolist() == [13, 28, 29, 13, 28]
    assert [species.tolist() for _, _, species in cells.configurations()] == [[13, 28], [29, 13, 28]]
    cells.write(tmp_path / 'cells.safetensors')
    assert Cells.read(tmp_path / 'cells.safetensors').species.tolist() == [13, 28, 29, 13, 28]


# The last number equals that of aluminium modulo 2^16.
@pytest.mark.parametrize('species', [[[13]], [[13, 0]], [[13, 119]], [[13, -13]], [[13, 2**16 + 13]]])
def test_species_that_do_not_fit_or_are_not_elements_are_refused(species):
    with pytest.raises(AnialError, match=r'cells: .*species'):
        Cells.from_lists([np.zeros((2, 3))], [LATTICE], species=species)
