"""Shards and labels as nodes: content, attributes, hashes and queries."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from aiida import orm

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.label import LabelData
from aiida_anial.data.structures import to_cells, to_structure
from aiida_anial.training.splits import block_of


def test_a_stored_shard_gives_the_same_labels(aiida_profile, make_labelled):
    labelled = make_labelled(3)
    node = orm.load_node(DatasetData(labelled).store().pk)
    assert isinstance(node, DatasetData)
    assert node.labelled.to_bytes() == labelled.to_bytes()
    assert node.n_configurations == 3


def test_the_attributes_say_what_can_be_queried(aiida_profile, make_labelled):
    labelled = LabelledCells.concatenate(
        [make_labelled(2, seed=1), make_labelled(1, seed=2, iteration=3, origin='active_learning')]
    )
    node = DatasetData(labelled).store()
    attributes = node.base.attributes.all
    assert (attributes['n_configurations'], attributes['n_atoms'], attributes['n_atoms_range']) == (3, 12, [4, 4])
    assert attributes['iterations'] == [0, 3]
    assert attributes['origins'] == {'random': 2, 'active_learning': 1}
    low, high = attributes['energy_per_atom_range_ev']
    assert low == pytest.approx(labelled.energies.min() / 4)
    assert high == pytest.approx(labelled.energies.max() / 4)
    largest = max(np.linalg.norm(force) for force in labelled.forces)
    assert attributes['max_force_ev_per_angstrom'] == pytest.approx(largest)
    query = orm.QueryBuilder().append(
        DatasetData, filters={'attributes.n_configurations': 3, 'attributes.iterations': {'contains': [3]}}
    )
    assert node.pk in [found.pk for found in query.all(flat=True)]


def test_the_same_labels_from_other_calculations_have_the_same_hash(aiida_profile, make_labelled):
    labelled = make_labelled(2)
    other = replace(labelled, uuids=tuple(str(UUID(int=77 + index)) for index in range(2)))
    first, second = DatasetData(labelled).store(), DatasetData(other).store()
    assert first.base.caching.get_hash() == second.base.caching.get_hash()
    assert second.labelled.uuids == other.uuids


@pytest.mark.parametrize('name', ['energies', 'forces', 'stresses'])
def test_another_label_has_another_hash(aiida_profile, make_labelled, name):
    labelled = make_labelled(2)
    array = getattr(labelled, name).copy()
    array.flat[-1] += 1e-9
    other = replace(labelled, **{name: array})
    hashes = [DatasetData(one).store().base.caching.get_hash() for one in (labelled, other)]
    assert hashes[0] != hashes[1]


def test_the_same_atoms_divided_otherwise_into_cells_have_another_hash(aiida_profile):
    lattices, positions = np.stack([4 * np.eye(3)] * 2), np.zeros((3, 3)) + np.arange(3)[:, None]

    def shard(offsets: list[int]) -> DatasetData:
        cells = Cells(positions, lattices, np.array(offsets), np.full(3, 13, dtype=np.int16))
        zeros = {'energies': np.zeros(2), 'forces': np.zeros((3, 3)), 'stresses': np.zeros((2, 3, 3))}
        uuids = tuple(str(UUID(int=index)) for index in range(2))
        return DatasetData(
            LabelledCells(cells, uuids=uuids, iterations=np.zeros(2, dtype=int), origins=('random',) * 2, **zeros)
        ).store()

    assert shard([0, 1, 3]).base.caching.get_hash() != shard([0, 2, 3]).base.caching.get_hash()


def test_a_shard_with_a_damaged_file_is_named_by_its_pk(aiida_profile, make_labelled):
    node = DatasetData(make_labelled(2))
    node.base.repository.put_object_from_bytes(make_labelled(2).to_bytes()[:-20], DatasetData.FILENAME)
    node.store()
    with pytest.raises(FileFormatError, match=rf'^DatasetData<{node.pk}>: not a safetensors file'):
        _ = node.labelled


def alloy(make_labelled, numbers: list[int]) -> LabelledCells:
    """Return one cell of four atoms with these atomic numbers."""
    labelled = make_labelled(1)
    return replace(labelled, cells=replace(labelled.cells, species=np.array(numbers, dtype=np.int16)))


def test_a_shard_of_an_alloy_says_its_elements_and_other_species_are_another_hash(aiida_profile, make_labelled):
    numbers = ([13, 13, 13, 13], [13, 28, 13, 13], [28, 13, 13, 13])
    nodes = [DatasetData(alloy(make_labelled, one)).store() for one in numbers]
    assert [node.elements for node in nodes] == [('Al',), ('Al', 'Ni'), ('Al', 'Ni')]
    assert len({node.base.caching.get_hash() for node in nodes}) == 3
    assert orm.load_node(nodes[2].pk).labelled.cells.species.tolist() == [28, 13, 13, 13]
    query = orm.QueryBuilder().append(DatasetData, filters={'attributes.elements': {'contains': ['Ni']}})
    assert {node.pk for node in nodes[1:]} <= {found.pk for found in query.all(flat=True)}


def test_a_label_of_an_alloy_has_its_formula_and_the_density_of_its_masses(aiida_profile, make_labelled):
    labelled = alloy(make_labelled, [13, 28, 13, 13])
    (node,) = LabelData.of_shard(labelled, None)
    attributes = node.base.attributes.all
    assert attributes['formula'] == 'Al3Ni'
    grams = (3 * 26.9815385 + 58.6934) / 6.02214076e23
    assert attributes['density_g_per_cm3'] == pytest.approx(grams / (labelled.cells.volumes[0] * 1e-24), rel=1e-6)
    assert attributes['content_hash'] == labelled.hashes()[0] != make_labelled(1).hashes()[0]
    assert attributes['split_block'] == block_of(labelled.hashes()[0])


def test_a_structure_of_two_elements_comes_back_as_cells(aiida_profile):
    positions, species = np.array([[0, 0, 0], [2.5, 2, 0], [2, 0, 2]]), np.array([28, 13, 28])
    node = to_structure(positions, 4 * np.eye(3), species).store()
    assert node.get_formula() == 'AlNi2'
    assert to_cells({'a': node}).species.tolist() == [28, 13, 28]
