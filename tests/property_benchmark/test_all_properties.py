"""The whole suite in a small form on EMT: every property gives what its module describes, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.properties.comparison.references import all_references
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.registry import PROPERTIES, BenchmarkSettings, figures, keyed_columns, run_properties

SMALL = BenchmarkSettings.parse(
    {
        'cold_curves': {'n_points': 5},
        'slip': {'n_layers': 6, 'n_points': 5},
        'twin': {'n_layers': 6, 'n_points': 5},
        'vacancy': {'supercells': [2, 3]},
        'dumbbell': {'supercells': [2, 3]},
        'surfaces': {'n_layers': 7},
        'phonons': {'supercell': 2, 'n_points': 5, 'n_mesh': 8},
        'melt': {
            'temperatures_k': [1123.0, 1183.0, 1273.0],
            'repeats': 3,
            'melting_ps': 0.3,
            'settling_ps': 0.1,
            'density_ps': 0.3,
            'time_ps': 2.0,
            'structure_ps': 0.5,
            'time_step_fs': 5.0,
            'r_max_angstrom': 6.0,
        },
        'shock': {
            'particle_velocities_km_s': [1.5],
            'wave': {
                'direction': '100',
                'repeats': [2, 30, 2],
                'equilibration_ps': 0.2,
                'time_ps': 1.1,
                'time_step_fs': 4.0,
                'profile_interval_steps': 10,
            },
        },
    }
)


NAMES = [pytest.param(name, marks=pytest.mark.slow) if one.is_dynamic else name for name, one in PROPERTIES.items()]


class Results(dict):
    """Properties of EMT, each computed when it is asked for."""

    def __missing__(self, name):
        return self.setdefault(name, run_properties((name,), SMALL, EMT())[name])


@pytest.fixture(scope='module')
def results():
    return Results()


@pytest.mark.parametrize('name', NAMES)
def test_every_quantity_is_described_with_its_unit(name, results):
    for quantity, value in results[name].quantities.items():
        column = PROPERTIES[name].column(quantity)
        assert column is not None, quantity
        assert column.unit == value.unit, quantity


@pytest.mark.parametrize('name', NAMES)
def test_every_curve_is_described_and_every_described_one_is_there(name, results):
    described = [re.compile(re.sub('[A-Z]', r'\\w+', curve)) for curve, _ in PROPERTIES[name].curves]
    for curve in results[name].curves:
        assert any(pattern.fullmatch(curve) for pattern in described), curve
    for pattern in described:
        assert any(pattern.fullmatch(curve) for curve in results[name].curves), pattern


@pytest.mark.parametrize('name', NAMES)
def test_every_described_quantity_comes_from_a_potential_a_reference_or_the_literature(name, results):
    shifted = {curve: values + 0.01 if 'energy' in curve else values for curve, values in results[name].curves.items()}
    subjects = [
        Subject('emt', 'emt', {name: results[name]}),
        Subject('qe', 'dft', {name: replace(results[name], curves=shifted)}),
    ]
    rows = comparison_table(subjects, reference=subjects[1])
    found = {row.quantity for row in rows} | {one.quantity for one in all_references() if one.property_name == name}
    for column in PROPERTIES[name].columns:
        assert any(column.describes(quantity) for quantity in found), column.quantity


@pytest.mark.parametrize('name', NAMES)
def test_every_panel_shows_something(name, results):
    for panel in PROPERTIES[name].panels:
        assert panel.is_in(results[name]), panel


def test_the_panels_of_a_figure_are_of_one_kind():
    for figure, panels in figures().items():
        assert len({type(panel) for _, panel in panels}) == 1, figure


def test_columns_that_share_a_key_are_of_one_quantity_and_look_alike():
    looks = {(column.key, column.quantity, column.heading, column.digits) for _, column in keyed_columns()}
    for names in zip(*((key, quantity) for key, quantity, _, _ in looks), strict=True):
        assert len(set(names)) == len(looks)


def test_what_the_literature_has_is_described_with_its_unit():
    for one in all_references():
        column = PROPERTIES[one.property_name].column(one.quantity)
        assert column is not None, one
        assert column.unit == one.value.unit


@pytest.mark.parametrize('name', NAMES)
def test_every_number_is_finite_and_has_a_unit(name, results):
    assert all(np.isfinite(quantity.value) and quantity.unit for quantity in results[name].quantities.values())
    assert all(np.isfinite(curve).all() for curve in results[name].curves.values())


def test_properties_agree_where_they_overlap(results):
    lattice, curves = results['lattice'].quantities, results['cold_curves'].quantities
    assert curves['fcc_a0'].value == pytest.approx(lattice['a0'].value, abs=0.01)
    assert results['elastic'].quantities['b'].value == pytest.approx(curves['fcc_b0'].value, rel=0.1)
    # The intrinsic fault is the end of one path and the start of the other.
    slip, twin = results['slip'], results['twin']
    assert twin.curves['energy_mj_per_m2'][0] == pytest.approx(slip.quantities['stable_fault'].value, abs=0.1)
    assert results['bain'].quantities['bcc_minus_fcc'].value == pytest.approx(
        results['trigonal'].quantities['bcc_minus_fcc'].value, abs=1e-3
    )


def test_the_lattice_constant_is_that_of_the_lowest_energy(results):
    found = results['lattice'].quantities['a0'].value

    def energy(constant: float) -> float:
        atoms = bulk('Al', 'fcc', a=constant)
        atoms.calc = EMT()
        return float(atoms.get_potential_energy())

    assert energy(found) < min(energy(found - 1e-4), energy(found + 1e-4))
