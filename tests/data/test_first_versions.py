"""Files that the first version of each layout wrote can be read for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.tensors import TensorFile, tensor_bytes
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import parse_potential, read_potential

FILES = Path(__file__).with_name('files')


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
    # Nodes of the first version say nothing of the level of theory.
    assert node.level_of_theory is None


def test_an_ensemble_of_the_first_version(aiida_profile):
    ensemble = read_potential(FILES / 'ensemble-v1.safetensors')
    assert (ensemble.n_members, ensemble.self_energy) == (2, -2.5)
    assert ensemble.weights[0].ravel()[:8].tolist() == [(number % 7 - 3) / 16 for number in range(8)]
    assert ensemble.biases[1].shape == (2, 8)
    node = EnsembleData()
    node.base.repository.put_object_from_file(str(FILES / 'ensemble-v1.safetensors'), EnsembleData.FILENAME)
    assert node.store().ensemble.weights[0].tolist() == ensemble.weights[0].tolist()


@pytest.mark.parametrize(('kind', 'parse'), [('dataset', LabelledCells.from_bytes), ('ensemble', parse_potential)])
def test_a_newer_version_than_ours_is_refused_in_one_sentence(kind, parse):
    content = tensor_bytes(TensorFile(kind, 2, {}, {'energies': np.zeros(1)}))
    with pytest.raises(FileFormatError, match='schema version 2, newer than 1; update aiida-anial'):
        parse(content, source='file')
