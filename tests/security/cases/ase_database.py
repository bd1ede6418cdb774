"""Datasets in SQLite: foreign databases, JSON that takes too much memory, and computed columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial

import numpy as np


def changed(world, statements):
    """Import labels from a database of this package, after running some statements on it."""
    path = world.exported('labels.db', 'ase_db')
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('PRAGMA writable_schema = ON')
        for statement in statements:
            connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
        connection.commit()
    return ('import', 'dataset', path)


def set_to(column, value):
    """Return a statement that changes a column of the third row."""
    return (f'UPDATE systems SET {column} = ? WHERE id = 3', (value,))


def raw(world, content, *options):
    return world.importing(world.write('labels.db', content), *options)


def instead(definition):
    """Return statements that replace the table by something else."""
    return ('ALTER TABLE systems RENAME TO hidden', f'CREATE {definition}')


def worked_out(expression):
    """Return statements that replace a column by one that is computed when it is read."""
    columns = 'id INTEGER PRIMARY KEY, numbers, cell, pbc, energy, forces, stress, key_value_pairs'
    return (
        'ALTER TABLE systems RENAME TO hidden',
        f'CREATE TABLE systems ({columns}, positions GENERATED ALWAYS AS ({expression}))',
        'INSERT INTO systems (id, numbers) VALUES (1, NULL)',
    )


_ARRAY = '{"__ndarray__": [[100000000000], "float64", 0.0]}'
_PAIRS = '{"content_hash": ' + _ARRAY + '}'

_STATEMENTS = {
    'a view for the table': (
        instead('VIEW systems AS SELECT * FROM hidden'),
        'but not one of ASE with the table systems',
    ),
    'a view that never ends': (
        instead(
            'VIEW systems AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS id FROM n'
        ),
        'but not one of ASE with the table systems',
    ),
    'a virtual table': (instead('VIRTUAL TABLE systems USING fts5(id, numbers)'), 'but not one of ASE with the table'),
    'a column of a gigabyte': (worked_out('zeroblob(999999999)'), 'too big'),
    'arrays of a terabyte in JSON': ((set_to('key_value_pairs', _PAIRS), set_to('cell', None)), 'row 3: lattice: has'),
    'arrays of a terabyte in the settings': (
        (set_to('calculator_parameters', _ARRAY), set_to('energy', float('inf'))),
        'row 3: energy: a value is not finite',
    ),
    'brackets in brackets in JSON': ((set_to('key_value_pairs', '[' * 100_000),), 'maximum recursion depth'),
    'pairs that are a list': (
        (set_to('key_value_pairs', '[1, 2]'),),
        'key_value_pairs: list where an object is needed',
    ),
    'pairs that are a pickle': (
        (set_to('key_value_pairs', b'\x80\x04cos\nsystem\n'),),
        'not an SQLite database of ASE',
    ),
    'a header that is a command': (
        ("UPDATE information SET value = '$(touch canary)' WHERE name = 'metadata'",),
        'labels',
    ),
    'a version of tomorrow': (
        ("UPDATE information SET value = 99 WHERE name = 'version'",),
        'of version 99 where 5 to 9',
    ),
    'an invalid version': (
        ("UPDATE information SET value = 'x; DROP TABLE systems' WHERE name = 'version'",),
        'damaged',
    ),
    'a table for its name': (
        (
            "INSERT INTO information VALUES ('external_table_name', 'systems; DROP TABLE systems')",
            set_to('energy', None),
        ),
        'row 3: has no energy; a label needs',
    ),
    'positions of seven bytes': ((set_to('positions', b'\0' * 7),), 'labels.db: not an SQLite database of ASE'),
    'positions of another number': ((set_to('positions', np.ones(9).tobytes()),), 'row 3: positions: has shape (3, 3)'),
    'positions that are text': ((set_to('positions', 'here'),), 'labels.db: not an SQLite database of ASE, or damaged'),
    'forces that are no numbers': ((set_to('forces', np.full(12, np.nan).tobytes()),), 'row 3: forces: a value is not'),
    'an energy that is text': ((set_to('energy', '\x1b[2J'),), 'labels.db: not an SQLite database of ASE, or damaged'),
    'gold': ((set_to('numbers', np.full(4, 79, dtype=np.int32).tobytes()),), 'row 3: species: has Au where only Al'),
    'numbers of no element': ((set_to('numbers', np.full(4, -7, dtype=np.int32).tobytes()),), 'has atomic number -7'),
}

CASES = {name: (partial(changed, statements=statements), said) for name, (statements, said) in _STATEMENTS.items()}
CASES |= {
    'nothing but the first bytes': (
        partial(raw, content=b'SQLite format 3\0' + b'\xff' * 8000),
        'labels.db: not an SQLite',
    ),
    'text': (lambda world: raw(world, 'no database', '--format', 'ase_db'), 'labels.db: not an SQLite database of ASE'),
}
