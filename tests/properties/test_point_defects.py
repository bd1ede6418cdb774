"""Vacancy and dumbbell against counted bonds, closed forms and relaxations by ASE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atom
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.optimize import BFGS

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.evaluation import Evaluation, Relaxation, evaluate_all
from aiida_anial.properties.point_defects import Dumbbell, PointDefectSettings, Vacancy

A = 4.0
START = {'lattice_constant': A}


def synthetic(defect, formation, scales=None):
    """Return evaluations with formation energies (eV) that are a function of the number of sites."""
    found = {}
    for name, task in defect.tasks(START).items():
        kind, n_sites = name.split('_')
        energy = -3.4 * len(task.atoms) + (0.0 if kind == 'bulk' else formation(int(n_sites)))
        members = None if scales is None else np.array([scale * energy for scale in scales])
        found[name] = Evaluation(task.atoms, energy, np.zeros_like(task.atoms.positions), np.zeros((3, 3)), members)
    return found


def relaxed_by_ase(atoms):
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=1e-3)
    return atoms.get_potential_energy()


def test_vacancy_of_nearest_neighbours_costs_an_atom():
    """Twelve bonds are cut, and the atom put back into the crystal forms six: minus the cohesive energy.

    Bonds of equilibrium length exert no force, so nothing relaxes.
    """
    neighbour = A / np.sqrt(2)
    calculator = LennardJones(sigma=neighbour / 2 ** (1 / 6), epsilon=0.4, rc=1.2 * neighbour)
    vacancy = Vacancy(PointDefectSettings())
    result = vacancy.analyse(START, evaluate_all(vacancy.tasks(START), calculator))
    bond = 4 * 0.4 * (1 / 4 - 1 / 2) - 4 * 0.4 * (1.2**-12 / 4 - 1.2**-6 / 2)
    assert set(result.quantities) == {
        'formation_energy',
        'formation_energy_32_sites',
        'formation_energy_108_sites',
        'formation_energy_256_sites',
        'formation_energy_infinite',
    }
    for quantity in result.quantities.values():
        assert quantity.unit == 'meV'
        assert quantity.value == pytest.approx(-6e3 * bond, rel=1e-9)
        assert quantity.uncertainty is None


def test_vacancy_relaxes_as_by_ase():
    vacancy = Vacancy(PointDefectSettings(supercells=(2,)))
    tasks = vacancy.tasks(START)
    found = vacancy.analyse(START, evaluate_all(tasks, EMT())).quantities['formation_energy'].value
    crystal = bulk('Al', 'fcc', a=A) * (2, 4, 4)
    atoms = bulk('Al', 'fcc', a=A, cubic=True) * 2
    del atoms[17]
    crystal.calc = EMT()
    expected = relaxed_by_ase(atoms) - 31 / 32 * crystal.get_potential_energy()
    assert found == pytest.approx(1e3 * expected, abs=0.1)
    rigid = {name: replace(task, relaxation=Relaxation.NONE) for name, task in tasks.items()}
    assert found < vacancy.analyse(START, evaluate_all(rigid, EMT())).quantities['formation_energy'].value - 1


def test_dumbbell_relaxes_as_by_ase():
    """A dumbbell at another site and along another axis relaxes to the same energy."""
    dumbbell = Dumbbell(PointDefectSettings(supercells=(2,)))
    evaluations = evaluate_all(dumbbell.tasks(START), EMT())
    found = dumbbell.analyse(START, evaluations).quantities['formation_energy']
    atoms = bulk('Al', 'fcc', a=A, cubic=True) * 2
    bulk_energy = evaluations['bulk_32'].energy
    atoms.append(Atom('Al', atoms.positions[13] - (1.1, 0, 0)))
    atoms.positions[13, 0] += 1.1
    assert found.value == pytest.approx(1000 * (relaxed_by_ase(atoms) - 33 / 32 * bulk_energy), abs=0.1)
    assert found.unit == 'meV'
    axis = atoms.get_distance(13, 32, mic=True, vector=True)
    ours = evaluations['dumbbell_32'].atoms.get_distance(0, 32, mic=True, vector=True)
    assert abs(axis[0]) == pytest.approx(abs(ours[2]), abs=0.01)
    assert np.abs(axis[1:]).max() < 0.01


def test_a_dumbbell_is_two_atoms_around_a_site():
    crystal = bulk('Al', 'fcc', a=A, cubic=True) * 2
    atoms = Dumbbell(PointDefectSettings()).tasks(START)['dumbbell_32'].atoms
    np.testing.assert_allclose(atoms.positions[1:32], crystal.positions[1:])
    np.testing.assert_allclose(atoms.positions[0] + atoms.positions[32], 2 * crystal.positions[0], atol=1e-12)
    assert atoms.get_distance(0, 32, vector=True).tolist() == pytest.approx([0, 0, -0.6 * A])


def test_tasks_of_one_size_share_a_group():
    tasks = Vacancy(PointDefectSettings(supercells=(2, 4))).tasks(START)
    assert {name: (len(task.atoms), task.group, task.relaxation) for name, task in tasks.items()} == {
        'bulk_32': (32, 'sites_32', 'none'),
        'vacancy_32': (31, 'sites_32', 'positions'),
        'bulk_256': (256, 'sites_256', 'none'),
        'vacancy_256': (255, 'sites_256', 'positions'),
    }


@pytest.mark.parametrize('kind', [Vacancy, Dumbbell])
def test_extrapolation_to_infinite_size(kind):
    """A term in 1/N is removed, whatever the energy of the smallest cell."""
    defect = kind(PointDefectSettings())
    result = defect.analyse(
        START, synthetic(defect, lambda n: 0.65 + 3 / n + (0.1 if n == 32 else 0.0), (0.9, 1.0, 1.1))
    )
    infinite = result.quantities['formation_energy_infinite']
    assert infinite.value == pytest.approx(650, rel=1e-9)
    assert infinite.uncertainty == pytest.approx(65, rel=1e-9)
    assert result.quantities['formation_energy'] == result.quantities['formation_energy_256_sites']
    expected = 1000 * np.array([0.75 + 3 / 32, 0.65 + 3 / 108, 0.65 + 3 / 256])
    assert result.curves['n_sites'].tolist() == [32, 108, 256]
    np.testing.assert_allclose(result.curves['formation_energy_mev'], expected, rtol=1e-9)
    np.testing.assert_allclose(result.curves['disagreement_mev'], 0.1 * expected, rtol=1e-9)


def test_one_size_has_no_limit():
    vacancy = Vacancy(PointDefectSettings(supercells=(3,)))
    evaluations = synthetic(vacancy, lambda _: 0.7)
    evaluations['vacancy_108'] = replace(evaluations['vacancy_108'], converged=False)
    result = vacancy.analyse(START, evaluations)
    assert set(result.quantities) == {'formation_energy', 'formation_energy_108_sites'}
    assert result.curves['disagreement_mev'].tolist() == [0.0]
    assert result.notes == ('The relaxation of vacancy_108 did not converge.',)


@pytest.mark.parametrize('supercells', [[], [1], [3, 2], [2, 2], [2.5]])
def test_impossible_supercells_are_refused(supercells):
    with pytest.raises(SettingsError, match='supercells'):
        PointDefectSettings.parse({'supercells': supercells})
