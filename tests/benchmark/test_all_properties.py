"""The whole suite in a small form on EMT: every property gives what its page says, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.run import run_properties
from aiida_anial.properties.settings import BenchmarkSettings

PAGE = (Path(__file__).parents[2] / 'docs' / 'reference' / 'benchmarks.md').read_text()

SMALL = BenchmarkSettings.parse(
    {
        'cold_curves': {'n_points': 5},
        'slip': {'n_layers': 6, 'n_points': 5},
        'twin': {'n_layers': 6, 'n_points': 5},
        'vacancy': {'supercells': [2, 3]},
        'dumbbell': {'supercells': [2, 3]},
        'surfaces': {'n_layers': 7},
        'phonons': {'supercell': 2, 'n_points': 5, 'n_mesh': 8},
    }
)
ONLY_AT_TIMES = {'rmse', 'X_rmse', 'X_minus_fcc_error', 'energy_polycrystal'}


@pytest.fixture(scope='module')
def results():
    """All properties of EMT."""
    return run_properties(BenchmarkSettings.model_fields, SMALL, EMT())


def documented(heading: str) -> dict[str, set[str]]:
    """Return the names by property in the tables of one part of the page."""
    part = PAGE.partition(f'\n## {heading}\n')[2].partition('\n## ')[0]
    found: dict[str, set[str]] = {}
    if heading == 'Curves':
        names = ''
        for first, cell in re.findall(r'^\| (.*?) ?\| (`.*?`) \|', part, re.MULTILINE):
            names = first or names
            for name in re.findall(r'`(\w+)`', names):
                found.setdefault(name, set()).update(re.findall(r'`(\w+)`', cell))
        return found
    for section in part.split('\n### ')[1:]:
        cells = re.findall(r'^\| (`.*?) \|', section, re.MULTILINE)
        for name in re.findall(r'`(\w+)`', section.splitlines()[0]):
            found[name] = {word for cell in cells for word in re.findall(r'`(\w+)`', cell)}
    return found


def general(name: str) -> str:
    """Return a name as the page writes it: X for a crystal, N for a number of sites."""
    for crystal in sorted(CRYSTALS, key=len, reverse=True):
        if name.startswith(f'{crystal}_') and name not in {'fcc_a0', 'fcc_rank', 'bcc_minus_fcc', 'sc_minus_fcc'}:
            return 'X' + name.removeprefix(crystal)
    name = re.sub(r'_strain_0_\d+$', '_strain_0_01', name)
    return re.sub(r'_\d+_sites$', '_N_sites', name)


@pytest.mark.parametrize('name', BenchmarkSettings.model_fields)
def test_the_page_names_every_quantity(name, results):
    known = documented('Properties and quantities')[name]
    if name == 'elastic':
        known |= {f'{constant}_strain_0_01' for constant in ('c11', 'c12', 'c44', 'b')}
    if name == 'surfaces':
        known |= {f'{kind}_{face}' for kind in ('d12', 'd23') for face in ('100', '110', '111')}
    found = {key if name != 'cold_curves' else general_of_curves(key) for key in results[name].quantities}
    assert {general(key) for key in found} - known == set()


def general_of_curves(key: str) -> str:
    return re.sub(r'^(bcc|sc)_minus_fcc$', 'X_minus_fcc', key)


@pytest.mark.parametrize('name', BenchmarkSettings.model_fields)
def test_the_page_names_every_curve(name, results):
    known = documented('Curves').get(name, set())
    assert {general(key) for key in results[name].curves} == known


def test_every_number_is_finite_and_has_a_unit(results):
    for result in results.values():
        assert all(np.isfinite(quantity.value) and quantity.unit for quantity in result.quantities.values())
        assert all(np.isfinite(curve).all() for curve in result.curves.values())


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
