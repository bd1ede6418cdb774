"""Datasets as Parquet with the columns of ColabFit: written, and read from this package and from ColabFit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.colabfit import SCHEMA, colabfit_table
from aiida_anial.formats.exported import ExportedDataset, header_text
from aiida_anial.formats.importing import Record

__all__ = ('read_parquet', 'write_parquet')

_HEADER = b'header'


def write_parquet(path: Path, dataset: ExportedDataset) -> None:
    """Write the file; only the antisymmetric part of a stress is lost.

    The same dataset gives the same bytes as long as the version of pyarrow, which the file names, is the same.
    """
    text = header_text(dataset.file_header).encode('ascii')
    table = colabfit_table(dataset).replace_schema_metadata({_HEADER: text})
    pq.write_table(table, path, write_page_checksum=True)


_NEEDED = ('atomic_numbers', 'positions', 'cell', 'pbc', 'energy', 'atomic_forces', 'cauchy_stress')
_OPTIONAL = ('cauchy_stress_volume_normalized',)
_OWN = ('property_id', 'configuration_id', 'labels', 'iteration', 'level_of_theory')

# Numbers with all their digits hardly compress, so columns far larger than the file must be malicious.
_MAX_EXPANSION = 64
_ALLOWANCE_BYTES = 2**24
_BATCH = 256


def read_parquet(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the rows of a Parquet file with the columns of ColabFit, and its header.

    :param energy: the unit of energy in the file, in eV; lengths are in angstrom.
    :raises AnialError: if a column is missing or has another type, or the columns are too large for the file. pyarrow
        raises other exceptions.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        text = (file.schema_arrow.metadata or {}).get(_HEADER)
        header = json.loads(text) if text else None
        names = _columns(file.schema_arrow, is_ours=header is not None)
        limit = _MAX_EXPANSION * path.stat().st_size + _ALLOWANCE_BYTES
        _check_size(_declared_bytes(file.metadata, names), limit)
        try:
            return list(_records(file, names, energy, limit)), header
        except MemoryError as exception:
            raise AnialError('its columns do not fit into memory.') from exception


def _columns(schema: pa.Schema, *, is_ours: bool) -> list[str]:
    """Return the names of the columns to read, after a look at their types."""
    needed = (*_NEEDED, *_OWN) if is_ours else _NEEDED
    for name in needed:
        if name not in schema.names:
            raise AnialError(f'has no column {name}; a label needs energy, forces and stress.')
    names = [*needed, *(name for name in _OPTIONAL if name in schema.names)]
    for name in names:
        if _kind(schema.field(name).type) != _kind(SCHEMA.field(name).type):
            raise AnialError(f'{name}: holds {schema.field(name).type} where {SCHEMA.field(name).type} is needed.')
    return names


def _kind(datatype: pa.DataType) -> tuple[int, str]:
    """Return how deep the lists of a type are nested, and what they hold."""
    depth = 0
    while pa.types.is_list(datatype) or pa.types.is_large_list(datatype) or pa.types.is_fixed_size_list(datatype):
        depth, datatype = depth + 1, datatype.value_type
    if pa.types.is_floating(datatype) or pa.types.is_integer(datatype):
        return depth, 'numbers'
    return depth, 'text' if pa.types.is_string(datatype) or pa.types.is_large_string(datatype) else str(datatype)


def _declared_bytes(metadata: pq.FileMetaData, names: list[str]) -> int:
    """Return the memory that the columns take, with eight bytes for each number."""
    total = 0
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            if column.path_in_schema.partition('.')[0] in names:
                total += max(8 * column.num_values, column.total_uncompressed_size)
    return total


def _check_size(n_bytes: int, limit: int) -> None:
    if n_bytes > limit:
        raise AnialError(f'its columns take {n_bytes:.3g} bytes, too many for a file of its size.')


def _records(file: pq.ParquetFile, names: list[str], energy: float, limit: int) -> Iterator[Record]:
    """Yield the configurations in the order of the rows."""
    n_rows = n_bytes = 0
    for batch in file.iter_batches(_BATCH, columns=names):
        n_bytes += batch.nbytes
        _check_size(n_bytes, limit)
        for row in batch.to_pylist():
            n_rows += 1
            yield _record(row, f'row {n_rows}', energy)


def _record(row: dict[str, Any], where: str, energy: float) -> Record:
    if row.get('cauchy_stress_volume_normalized'):
        raise AnialError(f'{where}: cauchy_stress_volume_normalized: is true; a label needs the stress itself.')
    total, forces, stress = row['energy'], row['atomic_forces'], row['cauchy_stress']
    return Record(
        where=where,
        numbers=np.array(row['atomic_numbers'] or (), dtype=np.int64),
        positions=_floats(row['positions'] or ()),
        lattice=_floats(row['cell'] or ()),
        is_periodic=row['pbc'] == [True] * 3,
        energy=None if total is None else float(total) * energy,
        forces=None if forces is None else _floats(forces) * energy,
        stress=None if stress is None else _floats(stress) * energy,
        columns=_own_columns(row),
    )


def _floats(values: Any) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _own_columns(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of this package under the names that they have in all formats."""
    if 'iteration' not in row:
        return {}
    return {
        'calculation': row['property_id'],
        'content_hash': row['configuration_id'],
        'iteration': row['iteration'],
        'origin': row['labels'][0],
        'level_of_theory': row['level_of_theory'],
    }
