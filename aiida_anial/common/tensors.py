"""Safetensors files with named arrays and JSON metadata: no pickle, and equal content gives equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from aiida_anial.common.errors import FileFormatError, one_line

__all__ = ('TensorFile', 'parse_tensors', 'read_tensors', 'tensor_bytes', 'write_tensors')

# Everything is in one metadata entry because safetensors writes several in random order.
_METADATA_KEY = 'anial'


@dataclass(frozen=True)
class TensorFile:
    """The content of one file.

    :param kind: what the file holds, such as ``ensemble`` or ``dataset``.
    :param schema_version: version of the file layout of that kind.
    :param metadata: JSON values by key.
    :param arrays: arrays by name.
    """

    kind: str
    schema_version: int
    metadata: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def tensor_bytes(content: TensorFile) -> bytes:
    """Return the bytes of the file that holds ``content``."""
    header = {'kind': content.kind, 'schema_version': content.schema_version, 'metadata': content.metadata}
    arrays = {name: np.ascontiguousarray(array) for name, array in content.arrays.items()}
    return save(arrays, {_METADATA_KEY: json.dumps(header, sort_keys=True)})


def write_tensors(path: Path, content: TensorFile) -> None:
    """Write ``content`` to ``path`` atomically: a reader never sees an incomplete file."""
    temporary = path.with_name(path.name + '.part')
    temporary.write_bytes(tensor_bytes(content))
    temporary.replace(path)


def read_tensors(path: Path, *, kind: str, schema_version: int) -> TensorFile:
    """Return the content of the file at ``path``.

    :param kind: required kind.
    :param schema_version: newest layout that the caller can read.
    :raises FileFormatError: if there is no such file, or it is not a safetensors file of that kind and version.
    """
    if not path.is_file():
        raise FileFormatError(f'{path}: there is no such file.')
    return parse_tensors(path.read_bytes(), source=str(path), kind=kind, schema_version=schema_version)


def parse_tensors(data: bytes, *, source: str, kind: str, schema_version: int) -> TensorFile:
    """Return the content of a file whose bytes are ``data``.

    :param source: name of the file, for messages.
    :raises FileFormatError: see ``read_tensors``.
    """
    try:
        arrays = load(data)
        header = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], 'little')])['__metadata__'][_METADATA_KEY])
        content = TensorFile(str(header['kind']), int(header['schema_version']), header['metadata'], arrays)
    except (SafetensorError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as exception:
        problem = str(exception)[:200] or type(exception).__name__
        raise FileFormatError(
            one_line(f'{source}: not a safetensors file written by aiida-anial ({problem}).')
        ) from exception
    if content.kind != kind:
        raise FileFormatError(one_line(f'{source}: holds {content.kind[:40]!r} where {kind!r} is needed.'))
    if content.schema_version > schema_version:
        raise FileFormatError(
            f'{source}: has schema version {content.schema_version}, newer than {schema_version}; update aiida-anial.'
        )
    return content
