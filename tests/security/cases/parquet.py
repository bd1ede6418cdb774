"""Datasets in Parquet: columns of other types, columns that decompress to gigabytes, and values that are missing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_ROWS = 1_000_000


def changed(world, change):
    """Import labels from a file of this package, after a change of its table."""
    path = world.exported('labels.parquet', 'parquet')
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)
    return ('import', 'dataset', path)


def foreign(world, change):
    """Import labels from a file without a header, as ColabFit has them."""
    path = world.exported('labels.parquet', 'parquet')
    pq.write_table(change(pq.read_table(path)).replace_schema_metadata(None), path)
    return world.importing(path)


def raw(world, content):
    return world.importing(world.write('labels.parquet', content))


def torn(world, keep):
    path = world.exported('labels.parquet', 'parquet')
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    return ('import', 'dataset', path)


def damaged(world):
    """Change one digit of a page, which its checksum reveals."""
    path = world.exported('labels.parquet', 'parquet')
    content = bytearray(path.read_bytes())
    index = pq.read_schema(path).names.index('energy')
    place = pq.ParquetFile(path).metadata.row_group(0).column(index)
    content[place.data_page_offset + place.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    return ('import', 'dataset', path)


def replaced(name, values):
    """Return a change that replaces a column."""
    return lambda table: table.set_column(table.column_names.index(name), name, [values])


def bomb(table):
    """Return a million equal rows, which take little space in the file."""
    return table.slice(0, 1).take(pa.array(np.zeros(N_ROWS, np.int32)))


def negated(table):
    """Return stresses that are positive in compression."""
    stresses = [[[-value for value in row] for row in stress] for stress in table['cauchy_stress'].to_pylist()]
    return replaced('cauchy_stress', pa.array(stresses))(table)


def headed(world, text):
    path = world.exported('labels.parquet', 'parquet')
    pq.write_table(pq.read_table(path).replace_schema_metadata({b'header': text}), path)
    return ('import', 'dataset', path)


_CHANGES = {
    'a million rows of nothing': (bomb, 'labels.parquet: its columns take '),
    'text for numbers': (replaced('energy', pa.array(['$(touch canary)'] * 10)), 'energy: holds string where double'),
    'numbers for vectors': (replaced('positions', pa.array(np.zeros(10))), 'positions: holds double where list'),
    'a structure of fields': (
        replaced('cell', pa.array([{'a': 1.0}] * 10)),
        'cell: holds struct<a: double> where list<',
    ),
    'vectors of other lengths': (
        replaced('atomic_forces', pa.array([[[0.0, 0.0]] * 4] * 10)),
        'row 1: forces: has shape (4, 2)',
    ),
    'lists of other lengths': (
        replaced('atomic_forces', pa.array([[[0.0, 0.0, 0.0], [1.0]]] * 10)),
        'not a Parquet file with the columns of ColabFit, or damaged',
    ),
    'energies that are missing': (replaced('energy', pa.nulls(10, pa.float64())), 'row 1: has no energy'),
    'energies that are numbers of nothing': (
        replaced('energy', pa.array(np.full(10, np.nan))),
        'row 1: energy: a value is not finite',
    ),
    'no origin': (replaced('labels', pa.array([[]] * 10, pa.list_(pa.string()))), 'labels.parquet: '),
    'a name of ten megabytes': (replaced('level_of_theory', pa.array(['A' * 10**7] * 10)), 'its columns take 1e+08'),
    'a column of this package is missing': (lambda table: table.drop_columns('iteration'), 'has no column iteration'),
}
_FOREIGN = {
    'a column is missing': (lambda table: table.drop_columns('cauchy_stress'), 'has no column cauchy_stress'),
    'stresses times volumes': (
        replaced('cauchy_stress_volume_normalized', pa.array([True] * 10)),
        'row 1: cauchy_stress_volume_normalized: is true',
    ),
    'stresses that are positive in compression': (negated, '--trust-units skips this check'),
    'no periodic cell': (replaced('pbc', pa.array([[True, True, False]] * 10)), 'row 1: pbc: is not periodic'),
}


CASES = {name: (partial(changed, change=change), said) for name, (change, said) in _CHANGES.items()}
CASES |= {f'{name} at ColabFit': (partial(foreign, change=change), said) for name, (change, said) in _FOREIGN.items()}
CASES |= {
    'a changed digit': (damaged, 'labels.parquet: not a Parquet file with the columns of ColabFit, or damaged'),
    'half of a file': (partial(torn, keep=0.5), 'labels.parquet: not a Parquet file'),
    'nothing but the first bytes': (partial(raw, content=b'PAR1' + b'\xff' * 5000), 'labels.parquet: not a Parquet'),
    'a header that is no JSON': (partial(headed, text=b'$(touch canary)'), 'labels.parquet: not a Parquet file'),
    'a header of brackets': (partial(headed, text=b'[' * 100_000), 'labels.parquet: '),
    'a header with an escape sequence': (
        partial(headed, text=b'\x1b]0;title\x07'),
        'labels.parquet: not a Parquet file',
    ),
}
