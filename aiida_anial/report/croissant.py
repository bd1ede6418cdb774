"""Describe a release in Croissant 1.1, the metadata of data sets for machine learning, which extends schema.org."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ('croissant',)

# The context that the specification prescribes, and a term for our own facts, whose content is plain JSON.
_CONTEXT: dict[str, Any] = {
    '@language': 'en',
    '@vocab': 'https://schema.org/',
    **{
        name: f'cr:{name}'
        for name in (
            *('arrayShape', 'citeAs', 'column', 'containedIn', 'equivalentProperty', 'extract', 'field', 'fileObject'),
            *('fileProperty', 'fileSet', 'format', 'includes', 'isArray', 'isLiveDataset', 'jsonPath', 'key', 'md5'),
            *('parentField', 'path', 'recordSet', 'references', 'regex', 'repeated', 'replace', 'samplingRate'),
            *('separator', 'source', 'subField', 'transform'),
        )
    },
    'conformsTo': 'dct:conformsTo',
    'cr': 'http://mlcommons.org/croissant/',
    'data': {'@id': 'cr:data', '@type': '@json'},
    'dataType': {'@id': 'cr:dataType', '@type': '@vocab'},
    'dct': 'http://purl.org/dc/terms/',
    'description': {'@container': '@language'},
    'examples': {'@id': 'cr:examples', '@type': '@json'},
    'facts': {'@id': 'urn:aiida-anial:facts', '@type': '@json'},
    'name': {'@container': '@language'},
    'rai': 'http://mlcommons.org/croissant/RAI/',
    'sc': 'https://schema.org/',
}
_MEDIA_TYPES = {
    '.extxyz': 'chemical/x-xyz',
    '.h5': 'application/x-hdf5',
    '.parquet': 'application/x-parquet',
    '.yaml': 'application/yaml',
}
_TABLE = 'dataset.parquet'


def croissant(folder: Path, facts: Mapping[str, Any], files: Mapping[str, tuple[int, str]]) -> dict[str, Any]:
    """Return the JSON-LD.

    :param folder: the release, with ``dataset.parquet``.
    :param facts: result of :func:`~aiida_anial.report.description.description`.
    :param files: size in bytes and SHA-256 of the files to list, by name.
    """
    return {
        '@context': _CONTEXT,
        '@type': 'Dataset',
        'conformsTo': 'http://mlcommons.org/croissant/1.1',
        'name': facts['title'],
        'description': facts['abstract'],
        'license': f'https://spdx.org/licenses/{facts["license"]}.html',
        'creator': [{'@type': 'Person', 'name': author} for author in facts['authors']],
        'keywords': facts['keywords'],
        'version': '1.0.0',
        'isLiveDataset': False,
        'distribution': [_file(name, *found) for name, found in files.items()],
        'recordSet': [
            {
                '@type': 'cr:RecordSet',
                '@id': 'labels',
                'name': 'labels',
                'description': 'One labelled configuration a record.',
                'key': {'@id': 'labels/property_id'},
                'field': [_field(field) for field in pq.read_schema(folder / _TABLE)],
            }
        ],
        'facts': dict(facts),
    }


def _file(name: str, size: int, digest: str) -> dict[str, Any]:
    return {
        '@type': 'cr:FileObject',
        '@id': name,
        'name': name,
        'contentUrl': name,
        'contentSize': f'{size} B',
        'encodingFormat': _MEDIA_TYPES.get(Path(name).suffix, 'application/octet-stream'),
        'sha256': digest,
    }


def _field(field: pa.Field) -> dict[str, Any]:
    """Return one column."""
    depth, kind = 0, field.type
    while pa.types.is_list(kind):
        depth, kind = depth + 1, kind.value_type
    # Lists of lists hold vectors.
    shape = {1: {'isArray': True, 'arrayShape': '-1'}, 2: {'isArray': True, 'arrayShape': '-1,3'}}.get(depth, {})
    return {
        '@type': 'cr:Field',
        '@id': f'labels/{field.name}',
        'name': field.name,
        'dataType': _data_type(kind),
        'source': {'fileObject': {'@id': _TABLE}, 'extract': {'column': field.name}},
        **shape,
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return 'sc:Float'
    if pa.types.is_integer(kind):
        return 'sc:Integer'
    if pa.types.is_boolean(kind):
        return 'sc:Boolean'
    return 'sc:DateTime' if pa.types.is_timestamp(kind) else 'sc:Text'
