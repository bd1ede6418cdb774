"""Tensor files: round trips, reproducible bytes, and refusal of damaged or foreign files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.tensors import TensorFile, parse_tensors, read_tensors, tensor_bytes, write_tensors

ARRAYS = {
    'doubles': np.linspace(-1, 1, 7),
    'matrix': np.arange(12, dtype=np.float32).reshape(3, 4).T,
    'counts': np.array([1, 2**40], dtype=np.int64),
    'bytes': np.arange(5, dtype=np.uint8),
    'empty': np.zeros((0, 3)),
}
CONTENT = TensorFile('thing', 1, {'names': ['a', 'ä'], 'value': 0.1, 'nested': {'b': 1, 'a': None}}, ARRAYS)


def parse(data: bytes, kind: str = 'thing', schema_version: int = 1) -> TensorFile:
    return parse_tensors(data, source='here', kind=kind, schema_version=schema_version)


def test_arrays_and_metadata_come_back(tmp_path):
    write_tensors(tmp_path / 'a.safetensors', CONTENT)
    found = read_tensors(tmp_path / 'a.safetensors', kind='thing', schema_version=1)
    assert found.metadata == CONTENT.metadata
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_nothing_but_the_file_is_left(tmp_path):
    write_tensors(tmp_path / 'a.safetensors', CONTENT)
    write_tensors(tmp_path / 'a.safetensors', CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ['a.safetensors']


def test_the_same_content_is_the_same_bytes_in_whatever_order_it_was_given():
    turned = TensorFile('thing', 1, dict(reversed(CONTENT.metadata.items())), dict(reversed(ARRAYS.items())))
    assert tensor_bytes(turned) == tensor_bytes(CONTENT)


def test_memory_order_does_not_change_the_bytes():
    fortran = {name: np.asfortranarray(array) for name, array in ARRAYS.items()}
    assert tensor_bytes(TensorFile('thing', 1, CONTENT.metadata, fortran)) == tensor_bytes(CONTENT)


@pytest.mark.parametrize('keep', [0, 3, 8, 40, -1])
def test_a_truncated_file_is_refused_by_its_name(keep):
    with pytest.raises(FileFormatError, match=r'^here: not a safetensors file'):
        parse(tensor_bytes(CONTENT)[:keep])


@pytest.mark.parametrize(
    'data',
    [
        b'not a tensor file at all, but long enough to be read as one',
        b'\xff' * 64,
        save({'a': np.zeros(2)}),
        save({'a': np.zeros(2)}, {'anial': 'not json'}),
        save({'a': np.zeros(2)}, {'anial': '[1, 2]'}),
        save({'a': np.zeros(2)}, {'anial': json.dumps({'kind': 'thing', 'metadata': {}})}),
        save({'a': np.zeros(2)}, {'anial': json.dumps({'kind': 'thing', 'schema_version': None, 'metadata': {}})}),
    ],
)
def test_a_foreign_file_is_refused_by_its_name(data):
    with pytest.raises(FileFormatError, match=r'^here: not a safetensors file'):
        parse(data)


def test_a_header_that_lies_is_refused():
    data = bytearray(tensor_bytes(CONTENT))
    data[:8] = (2**40).to_bytes(8, 'little')
    with pytest.raises(FileFormatError, match=r'^here: '):
        parse(bytes(data))


def test_another_kind_is_refused():
    with pytest.raises(FileFormatError, match=r"^here: holds 'thing' where 'dataset' is needed\.$"):
        parse(tensor_bytes(CONTENT), kind='dataset')


def test_a_newer_layout_is_refused_and_an_older_one_is_not():
    newer = tensor_bytes(TensorFile('thing', 3, {}, ARRAYS))
    with pytest.raises(FileFormatError, match='schema version 3, newer than 2'):
        parse(newer, schema_version=2)
    assert parse(newer, schema_version=4).schema_version == 3


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileFormatError, match=r'gone\.safetensors: there is no such file'):
        read_tensors(tmp_path / 'gone.safetensors', kind='thing', schema_version=1)
