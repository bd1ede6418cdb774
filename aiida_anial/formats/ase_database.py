"""ASE databases: written and read."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from ase.db import connect
from ase.db.row import AtomsRow
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.exported import ExportedDataset, header_text
from aiida_anial.formats.importing import Record

__all__ = ('read_ase_database', 'write_ase_database')


def write_ase_database(path: Path, dataset: ExportedDataset) -> None:
    """Write one row for each configuration; only the antisymmetric part of a stress is lost.

    The same dataset gives the same bytes: ids are derived from the content, and all times are 0, the year 2000.
    """
    seen: Counter[str] = Counter()
    with connect(path, type='db', append=False, use_lock_file=False) as database:
        database.metadata = json.loads(header_text(dataset.file_header))
        for index in range(len(dataset)):
            columns = dataset.columns(index)
            name = f'{columns["content_hash"]} {columns["calculation"]}'
            seen[name] += 1
            database.write(_row(dataset, index, columns, unique_id=f'{name} {seen[name]}'))
    with closing(sqlite3.connect(path)) as connection:
        # ASE always sets mtime to the current time.
        connection.execute('UPDATE systems SET mtime = ctime')
        connection.commit()
        connection.execute('VACUUM')


def _row(dataset: ExportedDataset, index: int, columns: dict[str, str | int], *, unique_id: str) -> AtomsRow:
    """Return one row. In a row, unlike in arguments of ``write``, text values may look like numbers."""
    cells = dataset.labelled.cells
    positions, lattice = cells.one(index)
    return AtomsRow(
        {
            'unique_id': sha256(unique_id.encode()).hexdigest()[:32],
            'ctime': 0.0,
            'user': '',
            'numbers': cells.species_of(index).astype(np.int32),
            'positions': positions,
            'cell': lattice,
            'pbc': np.ones(3, dtype=bool),
            'energy': float(dataset.labelled.energies[index]),
            'forces': dataset.labelled.forces_of(index),
            'stress': full_3x3_to_voigt_6_stress(dataset.labelled.stresses[index]),
            'key_value_pairs': columns,
        }
    )


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
_INFORMATION = "SELECT name, value FROM information WHERE name IN ('version', 'metadata')"
_ROWS = 'SELECT id, numbers, positions, cell, pbc, energy, forces, stress, key_value_pairs FROM systems ORDER BY id'

# Versions of the layout of ASE databases.
_VERSIONS = range(5, 10)

# A malicious file can define computed columns that never end. Any machine reads this many bytes per second.
_SECONDS, _BYTES_PER_SECOND = 5.0, 1e6
_STEPS_BETWEEN_LOOKS = 100_000


def read_ase_database(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the rows of an ASE database and its metadata.

    :param energy: the unit of energy in the file, in eV; lengths are in angstrom.
    :raises FileFormatError: if the SQLite database is not one of ASE. SQLite raises other exceptions.
    """
    with closing(_opened(path)) as connection:
        # Only real tables have a root page; views and virtual tables, which refer to other data, have none.
        tables = {name for (name,) in connection.execute(_TABLES)}
        if not {'systems', 'information'} <= tables:
            raise FileFormatError(f'{path}: is an SQLite database, but not one of ASE with the table systems.')
        information = dict(connection.execute(_INFORMATION))
        version = int(information.get('version', 0))
        if version not in _VERSIONS:
            raise FileFormatError(
                f'{path}: is an ASE database of version {version} where {_VERSIONS[0]} to {_VERSIONS[-1]} are known.'
            )
        records = list(_records(connection, energy))
    return records, json.loads(information.get('metadata') or '{}')


def _opened(path: Path) -> sqlite3.Connection:
    """Return a read-only connection with limits on the length of values and on the run time."""
    size = path.stat().st_size
    connection = sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro', uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, size)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    end = monotonic() + _SECONDS + size / _BYTES_PER_SECOND
    connection.set_progress_handler(lambda: monotonic() > end, _STEPS_BETWEEN_LOOKS)
    connection.execute('PRAGMA trusted_schema = OFF')
    connection.execute('PRAGMA cell_size_check = ON')
    return connection


def _records(connection: sqlite3.Connection, energy: float) -> Iterator[Record]:
    """Yield the configurations in the order of their ids."""
    for identifier, numbers, positions, cell, pbc, total, forces, stress, pairs in connection.execute(_ROWS):
        yield Record(
            where=f'row {int(identifier)}',
            numbers=np.frombuffer(numbers or b'', '<i4'),
            positions=_array(positions or b'', 3),
            lattice=_array(cell or b'', 3),
            # One bit for each direction.
            is_periodic=pbc == 0b111,
            energy=None if total is None else float(total) * energy,
            forces=None if forces is None else _array(forces, 3) * energy,
            stress=None if stress is None else voigt_6_to_full_3x3_stress(_array(stress, 6).reshape(6)) * energy,
            columns=_pairs(pairs),
        )


def _array(stored: bytes, n_columns: int) -> NDArray[np.float64]:
    """Return stored numbers as an array ``[n, n_columns]``.

    :raises ValueError: if they do not fill whole rows.
    """
    return np.frombuffer(stored, '<f8').astype(np.float64).reshape(-1, n_columns)


def _pairs(text: str | None) -> dict[str, Any]:
    """Return the keys and values of a row.

    :raises TypeError: if they are not a JSON object.
    """
    pairs = json.loads(text or '{}')
    if not isinstance(pairs, dict):
        raise TypeError(f'key_value_pairs: {type(pairs).__name__} where an object is needed')
    return pairs
