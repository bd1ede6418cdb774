"""Datasets from an SQLite database of ASE.

ASE itself opens such a file to write in it, runs statements that are put together from its content, and makes arrays of
whatever size the JSON in it asks for. Here it is only read, by one statement, into numbers and JSON values.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.record import Record

__all__ = ('read_ase_database',)

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
_INFORMATION = "SELECT name, value FROM information WHERE name IN ('version', 'metadata')"
_ROWS = 'SELECT id, numbers, positions, cell, pbc, energy, forces, stress, key_value_pairs FROM systems ORDER BY id'

# Of the layout, as ASE counts them.
_VERSIONS = range(5, 10)

# A file can say that a column is worked out, and how. So much is read a second on any machine.
_SECONDS, _BYTES_PER_SECOND = 5.0, 1e6
_STEPS_BETWEEN_LOOKS = 100_000


def read_ase_database(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the rows of an SQLite database of ASE and its metadata.

    :param energy: the unit of energy in the file, eV; lengths are in angstrom.
    :raises FileFormatError: if the database is not one of ASE; SQLite raises others.
    """
    with closing(_opened(path)) as connection:
        # Views and virtual tables, which hold nothing but a way to something else, have no page of their own.
        tables = {name for (name,) in connection.execute(_TABLES)}
        if not {'systems', 'information'} <= tables:
            raise FileFormatError(f'{path}: is an SQLite database, but not one of ASE with the table systems.')
        information = dict(
            connection.execute("SELECT name, value FROM information WHERE name IN ('version', 'metadata')")
        )
        version = int(information.get('version', 0))
        if version not in _VERSIONS:
            raise FileFormatError(
                f'{path}: is an ASE database of version {version} where {_VERSIONS[0]} to {_VERSIONS[-1]} are known.'
            )
        records = list(_records(connection, energy))
    return records, json.loads(information.get('metadata') or '{}')


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, has no values longer than the file, and ends."""
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
    """Give the configurations in the order of their ids."""
    for identifier, numbers, positions, cell, pbc, total, forces, stress, pairs in connection.execute(_ROWS):
        yield Record(
            where=f'row {int(identifier)}',
            numbers=np.frombuffer(numbers or b'', '<i4'),
            positions=_array(positions or b'', 3),
            lattice=_array(cell or b'', 3),
            # A bit for each direction.
            is_periodic=pbc == 0b111,
            energy=None if total is None else float(total) * energy,
            forces=None if forces is None else _array(forces, 3) * energy,
            stress=None if stress is None else voigt_6_to_full_3x3_stress(_array(stress, 6).reshape(6)) * energy,
            columns=_pairs(pairs),
        )


def _array(stored: bytes, n_columns: int) -> NDArray[np.float64]:
    """Return the numbers of a column as rows.

    :raises ValueError: if they do not fill them.
    """
    return np.frombuffer(stored, '<f8').astype(np.float64).reshape(-1, n_columns)


def _pairs(text: str | None) -> dict[str, Any]:
    """Return the keys and values of a row.

    :raises TypeError: if they are no JSON object.
    """
    pairs = json.loads(text or '{}')
    if not isinstance(pairs, dict):
        raise TypeError(f'key_value_pairs: {type(pairs).__name__} where an object is needed')
    return pairs
