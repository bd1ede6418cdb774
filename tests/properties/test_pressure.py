"""Pressure as a function of volume, against lattice sums."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.calculators.lj import LennardJones

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.evaluation import Evaluation, evaluate_all
from aiida_anial.properties.pressure import PressureSettings, PressureVolume

SIGMA, EPSILON, CUTOFF, EDGE = 2.6, 0.4, 5.4, 4.0
START = {'lattice_constant': EDGE}


def lennard_jones_pressure(volume: float) -> float:
    """Pressure of FCC in GPa from the virial, by a lattice sum."""
    points = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3), axis=-1).reshape(-1, 3)
    points = points[(points.sum(axis=1) % 2 == 0) & (points != 0).any(axis=1)]
    distances = np.linalg.norm(points, axis=1) * np.cbrt(4 * volume) / 2
    ratio = (SIGMA / distances[distances < CUTOFF]) ** 6
    return float(np.sum(24 * EPSILON * (2 * ratio**2 - ratio)) / (6 * volume) / units.GPa)


def made_of(one: PressureVolume, bulk_moduli: list[float]) -> dict[str, Evaluation]:
    """Evaluations with members whose pressure is B (V0 / V - 1), B in GPa, at the mean of the moduli."""
    found = {}
    for name, task in one.tasks(START).items():
        volume, v0 = task.atoms.cell.volume, EDGE**3 / 4
        energies = np.array(bulk_moduli) * units.GPa * (volume - v0 * np.log(volume))
        stress = -np.mean(bulk_moduli) * units.GPa * (v0 / volume - 1) * np.eye(3)
        found[name] = Evaluation(task.atoms, energies.mean(), np.zeros((1, 3)), stress, energies)
    return found


def test_pressures_of_lennard_jones_are_those_of_the_lattice_sum():
    one = PressureVolume(PressureSettings())
    result = one.analyse(START, evaluate_all(one.tasks(START), LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=CUTOFF)))
    v0 = EDGE**3 / 4
    np.testing.assert_allclose(result.curves['relative_volume'], np.linspace(0.7, 1.1, 17))
    np.testing.assert_allclose(result.curves['volume_angstrom3_per_atom'], v0 * np.linspace(0.7, 1.1, 17))
    expected = [lennard_jones_pressure(volume) for volume in result.curves['volume_angstrom3_per_atom']]
    np.testing.assert_allclose(result.curves['pressure_gpa'], expected, rtol=1e-9, atol=1e-9)
    assert result.quantities['pressure_at_0_90_v0'].value == pytest.approx(lennard_jones_pressure(0.9 * v0), rel=1e-8)
    assert result.quantities['pressure_at_0_80_v0'].value == pytest.approx(lennard_jones_pressure(0.8 * v0), rel=1e-8)
    assert result.quantities['pressure_at_0_80_v0'].unit == 'GPa'
    assert result.quantities['pressure_at_0_80_v0'].uncertainty is None
    assert result.curves['pressure_disagreement_gpa'].tolist() == [0.0] * 17


def test_between_the_volumes_the_pressure_is_interpolated():
    one = PressureVolume(PressureSettings(range_relative=(0.75, 1.07), n_points=10))
    found = one.analyse(START, made_of(one, [70.0, 80.0])).quantities
    assert found['pressure_at_0_90_v0'].value == pytest.approx(75 * (1 / 0.9 - 1), rel=1e-4)
    assert found['pressure_at_0_80_v0'].value == pytest.approx(75 * (1 / 0.8 - 1), rel=1e-4)


def test_members_disagree_by_the_slopes_of_their_energies():
    one = PressureVolume(PressureSettings())
    result = one.analyse(START, made_of(one, [70.0, 76.0, 82.0]))
    assert result.quantities['pressure_at_0_80_v0'].uncertainty == pytest.approx(6 * (1 / 0.8 - 1), rel=1e-3)
    expected = 6 * np.abs(1 / result.curves['relative_volume'] - 1)
    np.testing.assert_allclose(result.curves['pressure_disagreement_gpa'], expected, atol=5e-3)


def test_a_volume_out_of_reach_has_no_pressure_but_a_note():
    one = PressureVolume(PressureSettings(range_relative=(0.85, 1.05), n_points=5))
    result = one.analyse(START, made_of(one, [70.0]))
    assert set(result.quantities) == {'pressure_at_0_90_v0'}
    assert result.notes == ('The volumes do not reach 0.80 of that at rest.',)


def test_the_cells_are_in_one_group():
    tasks = PressureVolume(PressureSettings()).tasks(START)
    assert {task.group for task in tasks.values()} == {'fcc'}
    assert all(name.isidentifier() for name in tasks)


@pytest.mark.parametrize('values', [{'range_relative': [1.0, 1.0]}, {'range_relative': [0, 1]}, {'n_points': 3}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(SettingsError, match=next(iter(values))):
        PressureSettings.parse(values)
