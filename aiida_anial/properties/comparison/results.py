"""The results of each subject of a benchmark, and their files: numbers in JSON, curves in safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.quantity import Quantity
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import PROPERTIES

__all__ = (
    'CURVES_SUFFIX',
    'DFT',
    'DFT_KIND',
    'MAIN',
    'Subject',
    'property_names',
    'read_subject',
    'write_subject',
)

MAIN: Final = 'ensemble'
"""Name of the benchmarked ensemble as a subject."""

DFT: Final = 'qe'
"""Name of DFT as a subject, with which the others are compared."""

DFT_KIND = 'dft'
"""Kind of the subject DFT."""

CURVES_SUFFIX = '.curves.safetensors'
"""Suffix of the file of the curves, which replaces ``.json`` of the file of the numbers."""

_KIND = 'benchmark'
_SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Subject:
    """A benchmarked potential or DFT, with its results.

    :param name: name in tables and legends, such as ``qe`` or ``Al_mm.eam.fs``.
    :param kind: ``ensemble``, ``eam``, ``emt`` or ``dft``.
    :param results: results by property.
    """

    name: str
    kind: str
    results: Mapping[str, PropertyResult]

    def result(self, name: str) -> PropertyResult:
        """Return the result of a property, which is empty if it was not computed."""
        return self.results.get(name, PropertyResult({}))


def property_names(subjects: Iterable[Subject]) -> list[str]:
    """Return the properties of all subjects, in the order of the benchmark, unknown ones last."""
    found = dict.fromkeys(name for subject in subjects for name in subject.results)
    known = [name for name in PROPERTIES if name in found]
    return [*known, *(name for name in found if name not in known)]


def write_subject(path: Path, subject: Subject) -> None:
    """Write the numbers to ``path`` and the curves to a second file; the same results give the same bytes.

    :param path: path of the file of the numbers, with the suffix ``.json``.
    """
    curves = {
        f'{name}.{key}': np.asarray(array, dtype=np.float64)
        for name, result in subject.results.items()
        for key, array in result.curves.items()
    }
    content = {
        'format': _KIND,
        'schema_version': _SCHEMA_VERSION,
        'name': subject.name,
        'kind': subject.kind,
        'properties': {
            name: {
                'quantities': {key: quantity.to_dict() for key, quantity in result.quantities.items()},
                'notes': list(result.notes),
            }
            for name, result in subject.results.items()
        },
    }
    write_tensors(_curves_path(path), TensorFile(_KIND, _SCHEMA_VERSION, {'name': subject.name}, curves))
    path.write_text(
        json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + '\n', encoding='utf-8'
    )


def read_subject(path: Path) -> Subject:
    """Return the subject that ``write_subject`` wrote.

    :param path: path of the file of the numbers.
    :raises FileFormatError: one sentence with the file and what is wrong in it.
    """
    content = _read_json(path)
    try:
        properties = {str(name): _numbers(found) for name, found in content['properties'].items()}
        name, kind = str(content['name']), str(content['kind'])
    except (KeyError, TypeError, ValueError, AttributeError) as exception:
        problem = f'{type(exception).__name__}: {exception}'
        raise FileFormatError(f'{path}: the results are not complete ({problem}).') from exception
    curves = _read_curves(_curves_path(path), name, properties)
    return Subject(
        name,
        kind,
        {
            key: PropertyResult(result.quantities, curves.get(key, {}), result.notes)
            for key, result in properties.items()
        },
    )


def _curves_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix('.json') + CURVES_SUFFIX)


def _read_json(path: Path) -> dict[str, Any]:
    """Return the content of the file of the numbers, after checking its format and version."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as exception:
        raise FileFormatError(f'{path}: cannot be read ({exception.strerror}).') from exception
    except ValueError as exception:
        raise FileFormatError(f'{path}: not JSON ({exception}).') from exception
    if not isinstance(content, dict) or content.get('format') != _KIND:
        raise FileFormatError(f'{path}: holds no results of a benchmark.')
    version = content.get('schema_version')
    if not isinstance(version, int) or version < 1:
        raise FileFormatError(f'{path}: the schema version is {version!r}, not a number from 1.')
    if version > _SCHEMA_VERSION:
        raise FileFormatError(
            f'{path}: has schema version {version}, newer than {_SCHEMA_VERSION}; update aiida-anial.'
        )
    return content


def _numbers(found: Mapping[str, Any]) -> PropertyResult:
    """Return the quantities and notes of one property."""
    quantities = {str(key): Quantity.parse(quantity) for key, quantity in found['quantities'].items()}
    return PropertyResult(quantities, notes=tuple(str(note) for note in found['notes']))


def _read_curves(
    path: Path, name: str, properties: Mapping[str, PropertyResult]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the curves by property.

    :param name: name of the subject to which they must belong.
    :param properties: properties in the file of the numbers.
    """
    content = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION)
    if content.metadata.get('name') != name:
        raise FileFormatError(f'{path}: holds the curves of {content.metadata.get("name")!r}, not of {name!r}.')
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    for key, array in content.arrays.items():
        property_name, _, curve = key.partition('.')
        if property_name not in properties or not curve:
            raise FileFormatError(f'{path}: the array {key!r} belongs to no property of the results.')
        curves.setdefault(property_name, {})[curve] = array
    return curves
