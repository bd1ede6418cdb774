"""ASE's database as ASE reads and writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import UUID

import ase.db
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.datasets import read_dataset, write_dataset


@pytest.fixture
def path(tmp_path, dataset):
    write_dataset(tmp_path / 'data.db', dataset, file_format='ase_db')
    return tmp_path / 'data.db'


def _change(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


def test_ase_selects_by_the_columns(path, dataset):
    database = ase.db.connect(path)
    (row,) = database.select(calculation=dataset.labelled.uuids[3])
    assert row.content_hash == dataset.hashes[3]
    assert row.energy == dataset.labelled.energies[3]
    assert [row.id for row in database.select(origin='active_learning')] == [6]
    assert [row.id for row in database.select('iteration=1')] == [3, 4]
    assert [row.id for row in database.select(level_of_theory=dataset.levels[0])] == [1, 2, 3, 4, 5]
    assert [row.level_of_theory for row in database.select()] == list(dataset.levels)
    assert [row.split_block for row in database.select()] == [int(digits[:8], 16) % 16 for digits in dataset.hashes]


def test_the_header_is_the_metadata(path, dataset):
    metadata = ase.db.connect(path).metadata
    assert {key: metadata[key] for key in dataset.header} == dataset.header
    assert metadata['n_configurations'] == len(dataset)


def test_no_clock_and_no_user_is_in_it_and_ids_differ(path):
    rows = list(ase.db.connect(path).select())
    assert {(row.ctime, row.mtime, row.user) for row in rows} == {(0.0, 0.0, '')}
    assert len({row.unique_id for row in rows}) == len(rows)


def test_a_label_that_stands_twice_has_two_ids(tmp_path, dataset, label, atoms):
    twice = label([atoms[0], atoms[0]])
    object.__setattr__(twice, 'uuids', twice.uuids[:1] * 2)
    write_dataset(tmp_path / 'twice.db', type(dataset)(twice, ('a', 'a')), file_format='ase_db')
    assert len(read_dataset(tmp_path / 'twice.db')) == 2


def test_what_ase_wrote_is_read(tmp_path, atoms, label):
    labelled = label(atoms)
    with ase.db.connect(tmp_path / 'ase.db') as database:
        for image in atoms:
            image.get_forces(), image.get_stress()
            database.write(image, origin='elsewhere')
    found = read_dataset(tmp_path / 'ase.db')
    np.testing.assert_array_equal(found.labelled.energies, labelled.energies)
    np.testing.assert_array_equal(found.labelled.forces, labelled.forces)
    assert set(found.labelled.origins) == {'imported'}
    assert [UUID(uuid).version for uuid in found.labelled.uuids] == [5] * len(atoms)


@pytest.mark.parametrize('missing', ['energy', 'forces', 'stress'])
def test_a_row_without_a_part_of_its_label_is_named(tmp_path, atoms, missing):
    results = {'energy': 1.0, 'forces': np.zeros((8, 3)), 'stress': np.zeros(6)}
    del results[missing]
    image = atoms[0].copy()
    image.calc = SinglePointCalculator(image, **results)
    ase.db.connect(tmp_path / 'ase.db').write(image)
    with pytest.raises(FileFormatError, match=rf'ase.db: row 1: has no {missing}; a label needs'):
        read_dataset(tmp_path / 'ase.db')


def test_another_sqlite_file_is_refused_and_stays_as_it_is(tmp_path):
    with closing(sqlite3.connect(tmp_path / 'other.db')) as connection:
        connection.execute('CREATE TABLE mine (x REAL)')
        connection.commit()
    before = (tmp_path / 'other.db').read_bytes()
    with pytest.raises(FileFormatError, match='is an SQLite database, but not one of ASE'):
        read_dataset(tmp_path / 'other.db')
    assert (tmp_path / 'other.db').read_bytes() == before


@pytest.mark.parametrize(
    ('column', 'value', 'message'),
    [
        ('positions', b'', 'row 2: positions: has shape'),
        ('positions', b'\0' * 7, 'damaged'),
        ('forces', b'\0' * 24, r'row 2: forces: has shape \(1, 3\) where \(4, 3\)'),
        ('numbers', np.full(4, 29, dtype=np.int32).tobytes(), 'row 2: species: has Cu where only Al is known'),
        ('pbc', 3, 'row 2: pbc: is not periodic'),
        ('energy', None, 'row 2: has no energy'),
        ('energy', float('inf'), 'row 2: energy: a value is not finite'),
        ('stress', np.zeros(5).tobytes(), 'damaged'),
        ('cell', np.zeros(9).tobytes(), 'row 2: lattice: the cell has no volume'),
        ('cell', (4.05 * np.eye(3)).tobytes(), 'row 2: content_hash: is not that of'),
        ('key_value_pairs', '{}', 'row 2: content_hash: is not that of'),
        ('key_value_pairs', 'no JSON', 'damaged'),
    ],
)
def test_a_fault_is_named_in_one_sentence(path, column, value, message):
    _change(path, f'UPDATE systems SET {column} = ? WHERE id = 2', value)
    with pytest.raises(FileFormatError, match=message) as error:
        read_dataset(path, elements=('Al',))
    assert str(error.value).startswith(f'{path}: ')
    assert '\n' not in str(error.value)
