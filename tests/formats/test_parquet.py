"""Parquet with the columns of ColabFit: what other programs find in it, and files that others wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from ase import units

from aiida_anial.formats.colabfit import SCHEMA
from aiida_anial.formats.datasets import read_dataset, write_dataset


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'data.parquet'


def as_of_colabfit(path, change=lambda row: None):
    """Write the file again as ColabFit would: without a header and without the columns of this package."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row in rows:
        row |= {'property_id': 'PO_1', 'configuration_id': 'CO_1', 'labels': None}
        change(row)
    kept = table.schema.remove_metadata()
    pq.write_table(
        type(table).from_pylist(rows, kept).drop_columns(['iteration', 'split_block', 'level_of_theory']), path
    )


def test_the_columns_are_those_of_colabfit_and_three_more(path, dataset):
    write_dataset(path, dataset, file_format='parquet')
    schema = pq.read_schema(path)
    assert schema.remove_metadata() == SCHEMA
    assert schema.names[-3:] == ['iteration', 'split_block', 'level_of_theory']
    # As Hugging Face shows them for colabfit/CA-9_RR_validation.
    assert str(schema.field('atomic_forces').type) == 'list<element: list<element: double>>'
    assert str(schema.field('multiplicity').type) == 'int32'


def test_compositions_follow_the_rules_of_optimade(path, dataset):
    cells = dataset.labelled.cells
    species = np.where(np.arange(len(cells.positions)) % 4, 13, 28).astype(np.int16)
    alloy = replace(dataset, labelled=replace(dataset.labelled, cells=replace(cells, species=species)))
    write_dataset(path, alloy, file_format='parquet')
    row = pq.read_table(path).to_pylist()[0]
    assert (row['nsites'], row['nelements'], row['elements']) == (8, 2, ['Al', 'Ni'])
    assert row['elements_ratios'] == [0.75, 0.25]
    formulas = [row[f'chemical_formula_{name}'] for name in ('hill', 'reduced', 'anonymous')]
    assert formulas == ['Al6Ni2', 'Al3Ni', 'A3B']


def test_the_level_of_theory_is_in_every_row(path, dataset):
    theory = {'code': 'pw.x', 'version': '7.4', 'functional': 'PBE', 'ecutwfc_ry': 16.0}
    known = {'levels_of_theory': {dataset.levels[0]: theory, dataset.levels[-1]: None}}
    write_dataset(path, replace(dataset, header=known), file_format='parquet')
    first, *_, last = pq.read_table(path).to_pylist()
    assert (first['software'], first['method']) == ('Quantum ESPRESSO 7.4', 'DFT-PBE')
    assert json.loads(first['property_metadata']) == theory
    assert (last['software'], last['method'], last['property_metadata']) == (None, None, None)


def test_force_norms(path, dataset, atoms):
    write_dataset(path, dataset, file_format='parquet')
    for row, one in zip(pq.read_table(path).to_pylist(), atoms, strict=False):
        norms = np.linalg.norm(one.get_forces(), axis=1)
        assert row['max_force_norm'] == pytest.approx(norms.max(), rel=1e-12)
        assert row['mean_force_norm'] == pytest.approx(norms.mean(), rel=1e-12)


def test_labels_of_colabfit_are_imported_labels(path, dataset):
    write_dataset(path, dataset, file_format='parquet')
    as_of_colabfit(path)
    found = read_dataset(path)
    assert set(found.labelled.origins) == {'imported'}
    assert set(found.levels) == {'unknown'}
    assert found.hashes == dataset.hashes
    np.testing.assert_array_equal(found.labelled.energies, dataset.labelled.energies)
    np.testing.assert_array_equal(found.labelled.forces, dataset.labelled.forces)


def test_another_unit_of_energy(path, dataset):
    def in_rydberg(row):
        row['energy'] /= units.Ry
        for name in ('atomic_forces', 'cauchy_stress'):
            row[name] = (np.array(row[name]) / units.Ry).tolist()

    write_dataset(path, dataset, file_format='parquet')
    as_of_colabfit(path, in_rydberg)
    found = read_dataset(path, energy_unit='Ry').labelled
    np.testing.assert_allclose(found.energies, dataset.labelled.energies, rtol=1e-14)
    np.testing.assert_allclose(found.stresses, dataset.labelled.stresses, rtol=1e-12, atol=1e-15)
