"""Datasets into an SQLite database of ASE."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np
from ase.db import connect
from ase.db.row import AtomsRow
from ase.stress import full_3x3_to_voigt_6_stress

from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.formats.header import header_text

__all__ = ('write_ase_database',)


def write_ase_database(path: Path, dataset: ExportedDataset) -> None:
    """Write one row a configuration; only the antisymmetric part of a stress is lost.

    The same dataset gives the same bytes: ids follow from the content, and all times are 0, which is the year 2000.
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
        # ASE writes the clock here, whatever it is given.
        connection.execute('UPDATE systems SET mtime = ctime')
        connection.commit()
        connection.execute('VACUUM')


def _row(dataset: ExportedDataset, index: int, columns: dict[str, str | int], *, unique_id: str) -> AtomsRow:
    """Return one row; pairs of keys and values given in a row may be text that looks like a number."""
    positions, lattice = dataset.labelled.cells.one(index)
    return AtomsRow(
        {
            'unique_id': sha256(unique_id.encode()).hexdigest()[:32],
            'ctime': 0.0,
            'user': '',
            'numbers': np.full(len(positions), 13, dtype=np.int32),
            'positions': positions,
            'cell': lattice,
            'pbc': np.ones(3, dtype=bool),
            'energy': float(dataset.labelled.energies[index]),
            'forces': dataset.labelled.forces_of(index),
            'stress': full_3x3_to_voigt_6_stress(dataset.labelled.stresses[index]),
            'key_value_pairs': columns,
        }
    )
