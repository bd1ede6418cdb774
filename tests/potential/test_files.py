import dataclasses

import numpy as np
import pytest

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors
from aiida_anial.potential.potential import parse_potential, potential_bytes, read_potential, write_potential


@pytest.fixture
def path(tmp_path, ensemble):
    path = tmp_path / 'ensemble.safetensors'
    write_potential(path, ensemble)
    return path


def test_what_is_written_is_read_and_written_again_byte_for_byte(path, ensemble):
    read = read_potential(path)
    assert read.model == ensemble.model
    assert read.self_energy == ensemble.self_energy
    for written, got in zip(ensemble.weights + ensemble.biases, read.weights + read.biases, strict=True):
        assert got.dtype == written.dtype
        np.testing.assert_array_equal(got, written)
    assert potential_bytes(read) == path.read_bytes()
    assert potential_bytes(parse_potential(path.read_bytes(), source='a node')) == path.read_bytes()


def test_the_precision_of_each_layer_is_kept(tmp_path, ensemble):
    single = dataclasses.replace(ensemble, weights=(ensemble.weights[0].astype(np.float32), *ensemble.weights[1:]))
    write_potential(tmp_path / 'mixed', single)
    assert [weight.dtype for weight in read_potential(tmp_path / 'mixed').weights] == [
        np.float32,
        np.float64,
        np.float64,
    ]


def _rewritten(path, **changes):
    """Rewrite the file with some of its arrays or metadata changed."""
    content = read_tensors(path, kind='ensemble', schema_version=1)
    arrays = {**content.arrays, **changes.get('arrays', {})}
    metadata = {**content.metadata, **changes.get('metadata', {})}
    for name in changes.get('without', ()):
        arrays.pop(name, None)
        metadata.pop(name, None)
    kind, version = changes.get('kind', 'ensemble'), changes.get('version', 1)
    write_tensors(path, TensorFile(kind, version, changes.get('all_metadata', metadata), arrays))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'kind': 'dataset'}, "holds 'dataset' where 'ensemble' is needed"),
        ({'version': 2}, 'schema version 2'),
        ({'without': ['bias_1']}, "'bias_1' is missing"),
        ({'without': ['self_energy_ev']}, "'self_energy_ev' is missing"),
        ({'without': ['model']}, "'model' is missing"),
        ({'metadata': {'units': {'length': 'bohr', 'energy': 'eV'}}}, 'units'),
        ({'metadata': {'model': {'hidden_layers': [12, 10], 'n_members': 3, 'depth': 2}}}, "unknown key 'depth'"),
        ({'metadata': {'model': {'hidden_layers': [12, 11], 'n_members': 3}}}, 'weights of layer 1 have shape'),
        ({'metadata': {'model': 7}}, 'mapping'),
        ({'metadata': {'self_energy_ev': None}}, 'not an ensemble'),
        ({'metadata': {'self_energy_ev': float('inf')}}, 'self energy is not finite'),
        ({'all_metadata': ['units']}, 'not an ensemble'),
        ({'arrays': {'weight_0': np.zeros((3, 12, 95))}}, r'weights of layer 0 have shape \(3, 12, 95\)'),
        ({'arrays': {'bias_0': np.zeros((3, 12), dtype=np.int32)}}, 'biases of layer 0 are int32'),
        ({'arrays': {'bias_2': np.full((3, 1), np.nan)}}, 'biases of layer 2 is not finite'),
    ],
)
def test_a_file_that_is_no_ensemble_gives_one_sentence(path, changes, message):
    _rewritten(path, **changes)
    with pytest.raises(FileFormatError, match=message) as error:
        read_potential(path)
    assert str(error.value).startswith(f'{path}: ')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('keep', [0, 5, 8, 200, -1])
def test_a_truncated_file_gives_one_sentence(path, keep):
    content = path.read_bytes()[:keep]
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r'ensemble\.safetensors: '):
        read_potential(path)
    with pytest.raises(FileFormatError, match='a node: '):
        parse_potential(content, source='a node')


def test_a_damaged_header_gives_one_sentence(path):
    content = bytearray(path.read_bytes())
    generator = np.random.default_rng(0)
    header = int.from_bytes(content[:8], 'little')
    for place in generator.integers(0, header, 40):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r'ensemble\.safetensors: '):
            read_potential(path)


def test_a_missing_file_gives_one_sentence(tmp_path):
    with pytest.raises(FileFormatError, match='no such file'):
        read_potential(tmp_path / 'nowhere')
