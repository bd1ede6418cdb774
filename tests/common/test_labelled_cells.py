"""Labels: content hashes, files, and rejected labels."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.labels import Label, LabelledCells, assemble, content_hash
from aiida_anial.common.tensors import TensorFile, parse_tensors, tensor_bytes


@pytest.mark.parametrize('digits', [6, 8, 12])
def test_the_hash_of_whole_millionths_survives_a_text_file(make_cells, digits):
    for positions, lattice, species in make_cells(20).configurations():
        rows = np.round(np.concatenate([lattice, positions]), 6)
        back = np.array([[float(f'{value:.{digits}f}') for value in row] for row in rows])
        assert content_hash(back[3:], back[:3], species) == content_hash(rows[3:], rows[:3], species)


def test_the_hash_tells_a_small_shift_another_lattice_and_another_order(make_cells):
    ((positions, lattice, species),) = make_cells(1).configurations()
    original = content_hash(positions, lattice, species)
    for atom in range(4):
        for axis in range(3):
            moved = positions.copy()
            moved[atom, axis] += 1e-4
            assert content_hash(moved, lattice, species) != original
    assert content_hash(positions, lattice + 1e-4 * np.eye(3), species) != original
    assert content_hash(positions[::-1], lattice, species) != original


def test_the_hash_does_not_see_the_sign_of_zero():
    positions, lattice, species = np.zeros((1, 3)), 4.0 * np.eye(3), np.array([13])
    assert content_hash(-positions, lattice, species) == content_hash(positions, lattice, species)


def test_labels_survive_their_bytes_and_the_same_labels_are_the_same_bytes(make_labelled):
    labelled = make_labelled(3, iteration=2, origin='active_learning')
    found = LabelledCells.from_bytes(labelled.to_bytes())
    for name in ('energies', 'forces', 'stresses', 'iterations'):
        np.testing.assert_array_equal(getattr(found, name), getattr(labelled, name))
    assert (found.uuids, found.origins) == (labelled.uuids, labelled.origins)
    assert found.hashes() == labelled.hashes()
    assert found.to_bytes() == labelled.to_bytes()


def test_a_file_gives_the_same_labels(tmp_path, make_labelled):
    labelled = make_labelled(2)
    labelled.write(tmp_path / 'data.safetensors')
    assert LabelledCells.read(tmp_path / 'data.safetensors').to_bytes() == labelled.to_bytes()
    with pytest.raises(FileFormatError, match='there is no such file'):
        LabelledCells.read(tmp_path / 'other.safetensors')


@pytest.mark.parametrize('name', ['positions', 'offsets', 'species', 'forces', 'uuids', 'iterations'])
def test_a_file_without_an_array_is_refused_by_its_name(make_labelled, name):
    content = parse_tensors(
        make_labelled(2).to_bytes(), source='x', kind='dataset', schema_version=LabelledCells.SCHEMA_VERSION
    )
    arrays = {key: array for key, array in content.arrays.items() if key != name}
    with pytest.raises(FileFormatError, match=rf'^shard: .*{name}'):
        LabelledCells.from_bytes(
            tensor_bytes(TensorFile('dataset', LabelledCells.SCHEMA_VERSION, content.metadata, arrays)), source='shard'
        )


def test_a_file_with_arrays_that_do_not_fit_is_refused_by_its_name(make_labelled):
    content = parse_tensors(
        make_labelled(2).to_bytes(), source='x', kind='dataset', schema_version=LabelledCells.SCHEMA_VERSION
    )
    arrays = dict(content.arrays) | {'energies': np.zeros(3)}
    with pytest.raises(FileFormatError, match=r'^shard: .*energies'):
        LabelledCells.from_bytes(
            tensor_bytes(TensorFile('dataset', LabelledCells.SCHEMA_VERSION, content.metadata, arrays)), source='shard'
        )


def test_concatenation_keeps_every_label_with_its_own_forces(make_labelled):
    parts = [make_labelled(2, seed=1), make_labelled(3, seed=2, iteration=1, origin='active_learning')]
    whole = LabelledCells.concatenate(parts)
    expected = [(part, index) for part in parts for index in range(len(part))]
    for position, (part, index) in enumerate(expected):
        assert whole.energies[position] == part.energies[index]
        assert whole.uuids[position] == part.uuids[index]
        assert whole.origins[position] == part.origins[index]
        assert whole.iterations[position] == part.iterations[index]
        np.testing.assert_array_equal(whole.forces_of(position), part.forces_of(index))
        np.testing.assert_array_equal(whole.cells.one(position)[0], part.cells.one(index)[0])
        np.testing.assert_array_equal(whole.stresses[position], part.stresses[index])


@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('energies', lambda array: array[:-1]),
        ('energies', lambda array: array * np.nan),
        ('forces', lambda array: array[:-1]),
        ('forces', lambda array: np.where(array == array.max(), np.inf, array)),
        ('stresses', lambda array: array[:, :2]),
        ('uuids', lambda values: values[:-1]),
        ('origins', lambda values: (*values, 'random')),
        ('iterations', lambda array: array[1:]),
    ],
)
def test_labels_that_do_not_fit_or_are_not_finite_are_refused(make_labelled, name, change):
    labelled = make_labelled(2)
    with pytest.raises(AnialError, match=r'^labels: '):
        replace(labelled, **{name: change(getattr(labelled, name))})


def label(force: float = 0.0, energy: float = -3.0, stress: float = 0.0, n_atoms: int = 1) -> Label:
    forces = np.zeros((n_atoms, 3))
    forces[-1, 0] = force
    species = np.full(n_atoms, 13)
    return Label(np.zeros((n_atoms, 3)), 4 * np.eye(3), species, energy, forces, np.full((3, 3), stress), 'f' * 32)


def test_the_largest_force_is_the_length_of_the_vector():
    forces = np.array([[3.0, 4.0, 12.0]])
    one = Label(np.zeros((1, 3)), np.eye(3), np.array([13]), 0.0, forces, np.zeros((3, 3)), '')
    assert one.fault(max_force=13.001) is None
    assert '13.0 eV/angstrom' in str(one.fault(max_force=12.999))


@pytest.mark.parametrize('bad', [{'force': np.nan}, {'energy': np.inf}, {'stress': np.nan}])
def test_what_is_not_finite_is_a_fault_even_without_a_limit(bad):
    assert 'not finite' in str(label(**bad).fault(max_force=np.inf))


def test_sound_labels_are_assembled_in_the_order_of_their_names_and_the_others_have_reasons():
    labels = {'c': label(energy=3.0), 'b': label(force=60.0), 'a': label(energy=1.0, n_atoms=2), 'd': label(np.nan)}
    dataset, faults = assemble(labels, max_force=50.0, iteration=4, origin='active_learning')
    assert dataset is not None
    assert dataset.energies.tolist() == [1.0, 3.0]
    assert dataset.iterations.tolist() == [4, 4]
    assert isinstance(dataset.cells, Cells)
    assert faults.keys() == {'b', 'd'}


def test_no_sound_label_makes_no_dataset():
    assert assemble({'a': label(force=60.0)}, max_force=50.0, iteration=0, origin='random')[0] is None
    assert assemble({}, max_force=50.0, iteration=0, origin='random') == (None, {})


def moved(energy: float, by: float = 0.0) -> Label:
    return replace(label(energy=energy, n_atoms=2), positions=np.array([[0.0, 0.0, 0.0], [2.0 + by, 0.0, 0.0]]))


def test_an_energy_that_is_far_from_all_others_is_rejected():
    labels = {f'{index}': moved(-6.0 + 0.1 * index, by=0.01 * index) for index in range(9)}
    assert assemble(labels, max_force=50.0, iteration=0, origin='imported')[1] == {}
    _, faults = assemble({**labels, 'far': moved(1000.0)}, max_force=50.0, iteration=0, origin='imported')
    assert faults == {'far': 'unphysical: 500 eV/atom, where the median is -2.775'}


def test_a_configuration_counts_once():
    labels = {'a': moved(1.0), 'b': moved(2.0, by=0.1), 'c': moved(3.0), 'd': moved(4.0)}
    dataset, faults = assemble(labels, max_force=50.0, iteration=0, origin='imported')
    assert faults == {'c': 'the same configuration as a', 'd': 'the same configuration as a'}
    assert dataset.energies.tolist() == [1.0, 2.0]


def test_joined_datasets_have_each_configuration_once_with_its_first_label(make_labelled):
    one, other = make_labelled(3, seed=1), make_labelled(2, seed=2)
    joined = LabelledCells.concatenate([one, other, replace(one, energies=one.energies + 1)]).unique()
    assert joined.hashes() == one.hashes() + other.hashes()
    np.testing.assert_array_equal(joined.energies, np.concatenate([one.energies, other.energies]))
    assert one.unique() is one


def test_the_hash_of_an_alloy_knows_which_atom_is_which():
    positions, lattice = np.arange(9.0).reshape(3, 3), 9 * np.eye(3)
    hashes = {content_hash(positions, lattice, np.array(one)) for one in ([13, 13, 13], [13, 13, 28], [28, 13, 13])}
    assert len(hashes) == 3
    narrow, wide = np.array([13, 28, 13], dtype=np.int16), np.array([13, 28, 13])
    assert content_hash(positions, lattice, narrow) == content_hash(positions, lattice, wide)


def test_labels_of_an_alloy_keep_their_species():
    one = replace(label(n_atoms=2), species=np.array([13, 29]))
    dataset, _ = assemble({'a': label(), 'b': one}, max_force=1.0, iteration=0, origin='random')
    dataset = replace(dataset, uuids=(str(UUID(int=1)), str(UUID(int=2))))
    both = LabelledCells.concatenate([dataset.select(np.array([1, 0])), dataset])
    assert both.cells.species.tolist() == [13, 29, 13, 13, 13, 29]
    assert LabelledCells.from_bytes(both.to_bytes()).cells.species.tolist() == both.cells.species.tolist()
    assert len(set(both.hashes())) == 2
