"""Files written by the first version of each layout stay readable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labels import LabelledCells, content_hash
from aiida_anial.common.tensors import TensorFile, tensor_bytes
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_structure
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.potential.potential import SCHEMA_VERSION, parse_potential, read_potential
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.settings import CellSettings
from aiida_anial.sampling.trajectory import Trajectory
from aiida_anial.training.splits import block_of

FILES = Path(__file__).with_name('files')

# Hashes of the two configurations in `dataset-v1` and `cells-v1`, computed by the first version.
HASHES = [
    '598161f5c3ad729d7aebd844bb693065ae057e159f49288603142105d20c95e1',
    '25dbcffcc4d99d9db715db5a4a3dafc374c9c6f193f0b2f53f673cc47c5ec94c',
]


def test_a_shard_of_the_first_version(aiida_profile):
    labelled = LabelledCells.read(FILES / 'dataset-v1.safetensors')
    assert labelled.energies.tolist() == [-10.5, -16.25]
    assert labelled.forces.tolist() == (np.arange(15).reshape(5, 3) / 8).tolist()
    assert labelled.stresses[1, 2, 2] == 17 / 64
    assert labelled.cells.n_atoms.tolist() == [2, 3]
    assert labelled.cells.lattices[1].diagonal().tolist() == [5.0, 5.1, 5.2]
    assert labelled.origins == ('random', 'active_learning')
    assert labelled.iterations.tolist() == [0, 3]
    assert labelled.uuids[1] == '22222222-2222-4222-8222-222222222222'
    node = DatasetData()
    node.base.repository.put_object_from_file(str(FILES / 'dataset-v1.safetensors'), DatasetData.FILENAME)
    node.base.attributes.set_many({'schema_version': 1, 'n_configurations': 2, 'content_checksum': '0' * 64})
    assert node.store().labelled.energies.tolist() == [-10.5, -16.25]
    # Nodes of the first version have no level of theory.
    assert node.level_of_theory is None


def test_an_ensemble_of_the_first_version(aiida_profile):
    ensemble = read_potential(FILES / 'ensemble-v1.safetensors')
    assert (ensemble.n_members, ensemble.self_energy) == (2, -2.5)
    assert ensemble.weights[0].ravel()[:8].tolist() == [(number % 7 - 3) / 16 for number in range(8)]
    assert ensemble.biases[1].shape == (2, 8)
    node = EnsembleData()
    node.base.repository.put_object_from_file(str(FILES / 'ensemble-v1.safetensors'), EnsembleData.FILENAME)
    assert node.store().ensemble.weights[0].tolist() == ensemble.weights[0].tolist()


@pytest.mark.parametrize(
    ('kind', 'known', 'parse'),
    [
        ('dataset', LabelledCells.SCHEMA_VERSION, LabelledCells.from_bytes),
        ('ensemble', SCHEMA_VERSION, parse_potential),
    ],
)
def test_a_newer_version_than_ours_is_refused_in_one_sentence(kind, known, parse):
    content = tensor_bytes(TensorFile(kind, known + 1, {}, {'energies': np.zeros(1)}))
    with pytest.raises(FileFormatError, match=f'schema version {known + 1}, newer than {known}; update aiida-anial'):
        parse(content, source='file')


def test_cells_and_a_trajectory_of_the_first_version():
    cells = Cells.read(FILES / 'cells-v1.safetensors')
    assert cells.species.tolist() == [13] * 5
    assert [content_hash(*one) for one in cells.configurations()] == HASHES
    trajectory = Trajectory.read(FILES / 'trajectory-v1.safetensors')
    assert trajectory.species.tolist() == [13] * 3
    assert (trajectory.index, trajectory.positions[1, 2, 2], trajectory.stop_reason) == (
        4,
        17 / 4,
        'energy_disagreement',
    )


@pytest.mark.parametrize('suffix', ['extxyz', 'h5', 'db'])
def test_an_exported_dataset_of_the_first_version(suffix):
    labelled = read_dataset(FILES / f'dataset-v1.{suffix}').labelled
    assert labelled.energies.tolist() == [-10.5, -16.25]
    assert labelled.cells.species.tolist() == [13] * 5
    assert labelled.hashes() == [
        'da45450c9deb7a5a998e036c17a63b6c32838b108f618ded26338fbfce8d7d16',
        'cc7dc53cb9b92a6020ada1d0e455f34d41bb277cfbff30ea7c47e0c7f0e60ad2',
    ]


def test_aluminium_has_the_hashes_and_blocks_of_the_first_version(aiida_profile):
    """The split of every dataset, and what is taken from the cache, depend on these hashes."""
    labelled = LabelledCells.read(FILES / 'dataset-v1.safetensors')
    assert labelled.hashes() == HASHES
    assert [block_of(found) for found in HASHES] == [5, 12]
    node = DatasetData(labelled).store()
    checksum = '346c97bc8926dd3fd254e09f3206feaf14ebae5e346234e1e99598f326fa828c'
    assert node.base.attributes.get('content_checksum') == checksum
    assert node.base.caching.get_hash() == '0bfaf657e9580e3fe16c6aa237cc8d0d94842b5b43090ea934d073f4fe0cf78f'
    assert node.elements == ('Al',)
    symbols = [to_structure(*one).get_symbols_set() for one in labelled.cells.configurations()]
    assert symbols == [{'Al'}, {'Al'}]


def test_random_aluminium_is_that_of_the_first_version():
    settings = CellSettings.parse({'families': [{'edges_angstrom': [6.0, 8.0], 'n_atoms': [8, 20]}]})
    cells = random_cells(settings, seed=7, n=3)
    digest = hashlib.sha256(cells.positions.tobytes()).hexdigest()
    assert digest == '1b9613310af5bbe1afd36a499ea78b2262d258c27c5ffa3414506e966eb8a7cd'
    found = [content_hash(*one) for one in cells.configurations()]
    assert [one[:16] for one in found] == ['c4de03f0372e7f3e', 'c731a013d535cae3', 'ab0172d3588145f3']
    assert [block_of(one) for one in found] == [0, 3, 3]
