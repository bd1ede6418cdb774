"""The Bain path: BCC and FCC lie on it, at constant volume."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.evaluation import Evaluation, evaluate_all
from aiida_anial.properties.paths import BainPath, BainSettings

EDGE = 4.0
START = {'lattice_constant': EDGE}
PATH = BainPath(BainSettings())


@pytest.fixture(scope='module')
def result():
    return PATH.analyse(START, evaluate_all(PATH.tasks(START), EMT()))


def energy(atoms):
    atoms.calc = EMT()
    return atoms.get_potential_energy() / len(atoms)


def test_the_path_goes_through_bcc_and_fcc_at_the_volume_of_fcc(result):
    tasks = list(PATH.tasks(START).values())
    grid = result.curves['c_over_a']
    assert (grid[0], grid[-1], len(grid)) == (0.85, 1.6, 16)
    assert (np.diff(grid) > 0).all()
    numbers = {}
    for c_over_a, task in zip(grid, tasks, strict=True):
        atoms = task.atoms
        assert len(atoms) == 1
        assert atoms.cell.volume == pytest.approx(EDGE**3 / 4, rel=1e-12)
        cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
        numbers[c_over_a] = spglib.get_symmetry_dataset(cell, symprec=1e-8).number
    assert numbers.pop(1.0) == 229
    assert numbers.pop(np.sqrt(2)) == 225
    assert set(numbers.values()) == {139}
    assert {task.group for task in tasks} == {'bain'}


def test_energies_are_those_of_conventional_cells(result):
    reference = energy(bulk('Al', 'fcc', a=EDGE))
    for c_over_a, found in zip(result.curves['c_over_a'], result.curves['energy_ev_per_atom'], strict=True):
        a = np.cbrt(EDGE**3 / 2 / c_over_a)
        cell = Atoms('Al2', scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)], cell=[a, a, a * c_over_a], pbc=True)
        assert found == pytest.approx(energy(cell) - reference, abs=1e-9)


def test_bcc_minus_fcc_is_at_constant_volume(result):
    expected = energy(bulk('Al', 'bcc', a=EDGE / 2 ** (1 / 3))) - energy(bulk('Al', 'fcc', a=EDGE))
    assert result.quantities['bcc_minus_fcc'].value == pytest.approx(1e3 * expected, abs=1e-6)
    assert result.quantities['bcc_minus_fcc'].unit == 'meV/atom'


def test_what_the_members_have_in_common_is_no_disagreement():
    slopes = np.array([0.0, 0.1, 0.5])
    evaluations = {}
    for name, task in PATH.tasks(START).items():
        height = task.atoms.cell[0, 2]
        members = slopes * height + np.array([-7.0, 3.0, 11.0])
        evaluations[name] = Evaluation(task.atoms, members.mean(), np.zeros((1, 3)), np.zeros((3, 3)), members)
    heights = np.array([task.atoms.cell[0, 2] for task in PATH.tasks(START).values()])
    result = PATH.analyse(START, evaluations)
    fcc, bcc = (int(np.flatnonzero(result.curves['c_over_a'] == value)[0]) for value in (np.sqrt(2), 1.0))
    expected = slopes.std(ddof=1) * np.abs(heights - heights[fcc])
    np.testing.assert_allclose(result.curves['disagreement_ev_per_atom'], expected, atol=1e-12)
    assert result.quantities['bcc_minus_fcc'].uncertainty == pytest.approx(1e3 * expected[bcc])


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'range_c_over_a': [1.05, 1.6]}, 'must begin above 0 and contain 1, 1.414'),
        ({'range_c_over_a': [0.9, 1.4]}, 'must begin above 0 and contain 1, 1.414'),
        ({'range_c_over_a': [0.0, 1.6]}, 'must begin above 0'),
        ({'range_c_over_a': [0.1, 9.0]}, '16 points are too few'),
        ({'n_points': 2}, 'n_points'),
    ],
)
def test_a_path_that_misses_a_crystal_is_refused(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        BainSettings.parse(values)
    assert str(caught.value).startswith(next(iter(values)))
