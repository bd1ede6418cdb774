"""The trigonal path: FCC, SC and BCC lie on it, at constant volume."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.evaluation import evaluate_all
from aiida_anial.properties.paths import TrigonalPath, TrigonalSettings

EDGE = 4.0
START = {'lattice_constant': EDGE}
PATH = TrigonalPath(TrigonalSettings())


@pytest.fixture(scope='module')
def result():
    return PATH.analyse(START, evaluate_all(PATH.tasks(START), EMT()))


def energy(atoms):
    atoms.calc = EMT()
    return atoms.get_potential_energy() / len(atoms)


def test_the_path_goes_through_bcc_sc_and_fcc_at_the_volume_of_fcc(result):
    tasks = list(PATH.tasks(START).values())
    grid = result.curves['stretch_ratio']
    assert (grid[0], grid[-1], len(grid)) == (0.2, 1.3, 23)
    assert (np.diff(grid) > 0).all()
    numbers = {}
    for ratio, task in zip(grid, tasks, strict=True):
        atoms = task.atoms
        assert len(atoms) == 1
        assert atoms.cell.volume == pytest.approx(EDGE**3 / 4, rel=1e-12)
        cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
        numbers[ratio] = spglib.get_symmetry_dataset(cell, symprec=1e-8).number
    assert [numbers.pop(ratio) for ratio in (1.0, 0.5, 0.25)] == [225, 221, 229]
    assert set(numbers.values()) == {166}
    assert {task.group for task in tasks} == {'trigonal'}


def test_energies_are_those_of_hexagonal_cells_of_three_layers(result):
    reference = energy(bulk('Al', 'fcc', a=EDGE))
    layers = [(0, 0, 0), (1 / 3, 2 / 3, 1 / 3), (2 / 3, 1 / 3, 2 / 3)]
    for ratio, found in zip(result.curves['stretch_ratio'], result.curves['energy_ev_per_atom'], strict=True):
        a = np.cbrt(0.75 * EDGE**3 / (np.sqrt(3) / 2 * ratio * np.sqrt(6)))
        cell = Atoms('Al3', scaled_positions=layers, cell=[a, a, a * ratio * np.sqrt(6), 90, 90, 120], pbc=True)
        assert found == pytest.approx(energy(cell) - reference, abs=1e-9)


def test_differences_are_at_constant_volume(result):
    for name, per_cell in (('sc', 1), ('bcc', 2)):
        crystal = bulk('Al', name, a=np.cbrt(per_cell * EDGE**3 / 4))
        expected = 1e3 * (energy(crystal) - energy(bulk('Al', 'fcc', a=EDGE)))
        assert result.quantities[f'{name}_minus_fcc'].value == pytest.approx(expected, abs=1e-6)
        assert result.quantities[f'{name}_minus_fcc'].unit == 'meV/atom'
    assert set(result.quantities) == {'sc_minus_fcc', 'bcc_minus_fcc'}
    assert result.curves['disagreement_ev_per_atom'].tolist() == [0.0] * 23


@pytest.mark.parametrize('values', [{'range_stretch_ratio': [0.3, 1.3]}, {'range_stretch_ratio': [0.2, 0.9]}])
def test_a_path_that_misses_a_crystal_is_refused(values):
    with pytest.raises(SettingsError, match=r'^range_stretch_ratio: .*contain 0.25, 0.5, 1'):
        TrigonalSettings.parse(values)


def test_points_on_the_crystals_stay_apart_on_a_coarse_path():
    path = TrigonalPath(TrigonalSettings(range_stretch_ratio=(0.25, 1.0), n_points=4))
    assert path.tasks(START).keys() == {'trigonal_00', 'trigonal_01', 'trigonal_02', 'trigonal_03'}
    with pytest.raises(SettingsError, match='4 points are too few'):
        TrigonalSettings.parse({'range_stretch_ratio': [0.2, 1.0], 'n_points': 4})
