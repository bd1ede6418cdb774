"""The table of a comparison, and its output."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import pytest

from aiida_anial.common.errors import AnialError
from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.rendering import (
    comparison_csv,
    comparison_notes,
    comparison_records,
    comparison_text,
    format_quantity,
)
from aiida_anial.properties.comparison.results import Subject, property_names
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.quantity import PropertyResult


@pytest.fixture
def subjects():
    elastic = {'c44': Quantity(30.4, 'GPa'), 'c11': Quantity(116.34, 'GPa', 0.43), 'b': Quantity(76.9, 'GPa')}
    vacancy = {f'formation_energy_{n}_sites': Quantity(600.0 + n, 'meV') for n in (108, 32)}
    bain = {'bcc_minus_fcc': Quantity(101.0, 'meV/atom')}
    ensemble = Subject(
        'ensemble 715',
        'ensemble',
        {
            'vacancy': PropertyResult(vacancy, notes=('These did not relax to the tolerance: vacancy_32.',)),
            'elastic': PropertyResult(elastic),
        },
    )
    eam = Subject(
        'Al_mm.eam.fs',
        'eam',
        {'elastic': PropertyResult({'b': Quantity(77.6, 'GPa')}), 'bain': PropertyResult(bain)},
    )
    return [ensemble, eam]


def test_rows_are_ordered_by_property_and_then_by_name(subjects):
    rows = comparison_table(subjects)
    assert [(row.property_name, row.quantity) for row in rows] == [
        ('elastic', 'b'),
        ('elastic', 'c11'),
        ('elastic', 'c44'),
        ('bain', 'bcc_minus_fcc'),
        ('vacancy', 'formation_energy_32_sites'),
        ('vacancy', 'formation_energy_108_sites'),
    ]
    assert comparison_table(subjects[::-1])[0].quantity == 'b'


def test_decimals_in_names_are_ordered_as_numbers():
    quantities = {f'c11_strain_{strain}': Quantity(1.0, 'GPa') for strain in ('0_01', '0_005', '0_02')}
    rows = comparison_table([Subject('one', 'eam', {'elastic': PropertyResult(quantities)})])
    assert [row.quantity for row in rows] == ['c11_strain_0_005', 'c11_strain_0_01', 'c11_strain_0_02']


def test_a_row_has_all_subjects_and_the_literature(subjects):
    row = comparison_table(subjects)[0]
    assert {name: quantity.value for name, quantity in row.values.items()} == {
        'ensemble 715': 76.9,
        'Al_mm.eam.fs': 77.6,
    }
    assert {one.source: one.value.value for one in row.references} == {
        'experiment': 79.0,
        'ani_al': 77.3,
        'mishin_eam': 79.0,
    }
    assert row.unit == 'GPa'


def test_deviations_are_rows_if_there_is_a_reference(make_subject):
    ours, dft = make_subject('ours', scale=1.1), make_subject('qe', 'dft')
    rows = {(row.property_name, row.quantity): row for row in comparison_table([ours, dft], reference=dft)}
    for name in ('bain', 'trigonal', 'slip', 'twin'):
        row = rows[name, 'rmse']
        assert list(row.values) == ['ours']
        assert row.values['ours'].value > 0
        assert {one.source for one in row.references} == {'ani_al', 'mishin_eam'}
    assert rows['cold_curves', 'bcc_minus_fcc_error'].references[0].value.value == 5.3
    without = {(row.property_name, row.quantity) for row in comparison_table([ours, dft])}
    assert set(rows) - without == {
        *((name, 'rmse') for name in ('bain', 'trigonal', 'slip', 'twin')),
        *(('cold_curves', f'{name}_rmse') for name in ('fcc', 'bcc', 'diamond')),
        *(('cold_curves', f'{name}_minus_fcc_error') for name in ('bcc', 'diamond')),
    }


def test_two_subjects_of_one_name_are_refused(subjects):
    with pytest.raises(AnialError, match=r'^ensemble 715: two of the compared potentials have this name\.$'):
        comparison_table([*subjects, replace(subjects[1], name='ensemble 715')])


def test_two_units_are_refused():
    subject = Subject('one', 'eam', {'elastic': PropertyResult({'c11': Quantity(0.7, 'eV/angstrom3')})})
    with pytest.raises(AnialError, match=r'^elastic\.c11: the units GPa and eV/angstrom3 cannot be compared\.$'):
        comparison_table([subject])


def test_unknown_properties_come_last():
    names = ('phonons', 'own', 'lattice')
    assert property_names([Subject('one', 'eam', dict.fromkeys(names, PropertyResult({})))]) == [
        'lattice',
        'phonons',
        'own',
    ]


@pytest.mark.parametrize(
    ('quantity', 'expected'),
    [
        (Quantity(116.34, 'GPa', 0.43), '116.3(4)'),
        (Quantity(116.34, 'GPa', 0.143), '116.34(14)'),
        (Quantity(663.2, 'meV', 25.0), '663(25)'),
        (Quantity(663.2, 'meV', 9.96), '663(10)'),
        (Quantity(4.04531, 'angstrom', 0.0096), '4.045(10)'),
        (Quantity(4.04531, 'angstrom', 0.00098), '4.0453(10)'),
        (Quantity(4.04531, 'angstrom', 1e-9), '4.0453'),
        (Quantity(4.04531, 'angstrom', 0.0), '4.0453'),
        (Quantity(-0.01, '%'), '0.0'),
        (Quantity(1.0, '1'), '1'),
        (Quantity(1.6331, '1'), '1.633'),
        (Quantity(2.5, 'furlong'), '2.500'),
        (Quantity(math.nan, 'GPa', 1.0), '-'),
        (Quantity(2.5, 'GPa', math.nan), '2.5'),
    ],
)
def test_a_quantity_is_written_to_the_digits_that_count(quantity, expected):
    assert format_quantity(quantity) == expected


def test_text_has_a_table_for_each_property(subjects):
    elastic, bain, vacancy = comparison_text(comparison_table(subjects)).split('\n\n')
    assert elastic.splitlines() == [
        'elastic       ensemble 715  Al_mm.eam.fs  |  experiment  DFT of the paper  published ANI-Al  EAM by Mishin',
        '-' * 106,
        'b        GPa          76.9          77.6  |        79.0                 -              77.3           79.0',
        'c11      GPa      116.3(4)             -  |       114.0             106.0             117.0          113.8',
        'c44      GPa          30.4             -  |        31.6              31.6              30.4           31.6',
    ]
    assert '|' not in bain
    assert 'ensemble 715' not in bain
    assert vacancy.splitlines()[2].split() == ['formation_energy_32_sites', 'meV', '632']


def test_notes_say_whose_they_are(subjects):
    assert comparison_notes(subjects) == ['ensemble 715, vacancy: These did not relax to the tolerance: vacancy_32.']


def test_csv_has_all_digits_and_the_citation(subjects):
    lines = list(csv.DictReader(io.StringIO(comparison_csv(comparison_table(subjects)))))
    computed = [line for line in lines if line['kind'] == 'computed']
    assert len(computed) == 7
    assert computed[2] == {
        'property': 'elastic',
        'quantity': 'c11',
        'unit': 'GPa',
        'source': 'ensemble 715',
        'kind': 'computed',
        'value': '116.34',
        'uncertainty': '0.43',
        'citation': '',
    }
    (experiment,) = [line for line in lines if line['quantity'] == 'c11' and line['source'] == 'experiment']
    assert (experiment['value'], experiment['kind']) == ('114.0', 'experiment')
    assert 'doi:10.1038/s41467-021-21376-0' in experiment['citation']


def test_records_are_json_by_subject_property_and_quantity(subjects):
    records = json.loads(json.dumps(comparison_records(comparison_table(subjects)), allow_nan=False))
    assert records['ensemble 715']['elastic']['c11'] == {'value': 116.34, 'unit': 'GPa', 'uncertainty': 0.43}
    assert records['Al_mm.eam.fs'] == {
        'elastic': {'b': {'value': 77.6, 'unit': 'GPa', 'uncertainty': None}},
        'bain': {'bcc_minus_fcc': {'value': 101.0, 'unit': 'meV/atom', 'uncertainty': None}},
    }


def test_nothing_gives_nothing():
    assert comparison_table([]) == []
    assert comparison_text([]) == ''
