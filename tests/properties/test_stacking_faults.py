"""Fault energies against other crystals, rigid slabs and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.crystals import MJ_PER_M2, Layers
from aiida_anial.properties.evaluation import Evaluation, Relaxation, evaluate_all
from aiida_anial.properties.stacking_faults import SlipPath, StackingFaultSettings, TwinPath

A = 4.05
START = {'lattice_constant': A}
NEIGHBOUR = A / np.sqrt(2)
UNIT = MJ_PER_M2 * NEIGHBOUR**2 * np.sqrt(3) / 2
SETTINGS = StackingFaultSettings(n_layers=9)
PATHS = {'fault': SlipPath, 'twin': TwinPath}


def pair_potential(shells):
    """Return a Lennard-Jones potential cut off after the given number of nearest-neighbour distances."""
    return LennardJones(sigma=NEIGHBOUR / 2 ** (1 / 6), epsilon=0.4, rc=shells * NEIGHBOUR)


def rigid(path):
    return {name: replace(task, relaxation=Relaxation.NONE) for name, task in path.tasks(START).items()}


def synthetic(path, energy, scales=(1.0,)):
    """Return evaluations with energies (mJ/m2) that are a function of the displacement along the path."""
    found = {}
    for name, task in path.tasks(START).items():
        value = energy(int(name.split('_')[1]) / 1000) * UNIT - 3.0 * len(task.atoms)
        members = np.array([value + (scale - 1) * (value + 3.0 * len(task.atoms)) for scale in scales])
        forces = np.zeros_like(task.atoms.positions)
        found[name] = Evaluation(task.atoms, value, forces, np.zeros((3, 3)), members if len(scales) > 1 else None)
    return found


@pytest.mark.parametrize('fault', PATHS)
def test_first_neighbours_alone_cost_nothing(fault):
    path = PATHS[fault](SETTINGS)
    result = path.analyse(START, evaluate_all(path.tasks(START), pair_potential(1.2)))
    assert result.quantities[f'stable_{fault}'].value == pytest.approx(0.0, abs=0.01)
    assert result.quantities[f'unstable_{fault}'].value > 50


@pytest.mark.parametrize('fault', PATHS)
def test_layers_that_see_two_others_cost_twice_hcp(fault):
    """Both faults have two pairs of next-nearest layers in the same sites, HCP has one pair per layer."""
    path, potential = PATHS[fault](SETTINGS), pair_potential(2.0)
    result = path.analyse(START, evaluate_all(rigid(path), potential))
    hcp, fcc = bulk('Al', 'hcp', a=NEIGHBOUR, c=np.sqrt(8 / 3) * NEIGHBOUR), bulk('Al', 'fcc', a=A)
    for atoms in (hcp, fcc):
        atoms.calc = potential
    difference = hcp.get_potential_energy() / 2 - fcc.get_potential_energy()
    assert abs(difference) > 1e-4
    assert result.quantities[f'stable_{fault}'].value == pytest.approx(2 * difference / UNIT, rel=1e-6)


@pytest.mark.parametrize('fault', PATHS)
def test_rigid_path_is_that_of_a_sheared_slab(fault):
    """In slabs of ASE, layers above one plane glide, then those above the next; surface energies cancel."""
    path = PATHS[fault](SETTINGS)
    curves = path.analyse(START, evaluate_all(rigid(path), EMT())).curves
    slab = fcc111('Al', (1, 1, 12), a=A, vacuum=8.0)
    slab.pbc = True
    partial = (slab.cell[0] + slab.cell[1]) / 3
    energies = []
    for displacement in (0.0, *curves['displacement']):
        atoms = slab.copy()
        atoms.positions[5:] += min(displacement, 1.0) * partial
        atoms.positions[6:] += max(displacement - 1.0, 0.0) * partial
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    np.testing.assert_allclose(curves['energy_mj_per_m2'], (np.array(energies[1:]) - energies[0]) / UNIT, atol=1e-6)


def test_layers_relax_along_the_normal_alone():
    path = SlipPath(SETTINGS)
    tasks, relaxed = path.tasks(START), evaluate_all(path.tasks(START), EMT())
    before = path.analyse(START, evaluate_all(rigid(path), EMT())).quantities['unstable_fault'].value
    assert path.analyse(START, relaxed).quantities['unstable_fault'].value < before - 1
    middle = relaxed['displaced_0500']
    np.testing.assert_allclose(middle.atoms.positions[:, :2], tasks['displaced_0500'].atoms.positions[:, :2])
    np.testing.assert_allclose(middle.atoms.cell[:], tasks['displaced_0500'].atoms.cell[:])
    assert np.abs(middle.forces[:, 2]).max() < 1e-3 < np.abs(middle.forces[:, :2]).max()


def test_paths_meet_in_the_intrinsic_fault():
    slip, twin = SlipPath(SETTINGS), TwinPath(SETTINGS)
    assert list(slip.tasks(START)) == [f'displaced_{100 * index:04d}' for index in range(11)]
    assert list(twin.tasks(START)) == ['displaced_0000', *(f'displaced_{100 * index:04d}' for index in range(10, 21))]
    for name in ('displaced_0000', 'displaced_1000'):
        assert slip.tasks(START)[name].atoms == twin.tasks(START)[name].atoms
    for path, start in ((slip, 0), (twin, 1)):
        displacements = path.analyse(START, synthetic(path, np.sin)).curves['displacement']
        assert displacements[[0, 5, 10]].tolist() == [start, start + 0.5, start + 1]
        assert {task.group for task in path.tasks(START).values()} == {'layers'}


@pytest.mark.parametrize('fault', PATHS)
def test_barrier_and_fault_of_a_closed_form(fault):
    """E = U sin^2 + S (1 - cos) / 2 is greatest where cos = -S / 4U."""
    path = PATHS[fault](StackingFaultSettings(n_points=11))
    height, step = 170.0, 140.0

    def energy(displacement):
        angle = np.pi * (displacement - path.start)
        return height * np.sin(angle) ** 2 + step * (1 - np.cos(angle)) / 2 if displacement >= path.start else 0.0

    result = path.analyse(START, synthetic(path, energy, scales=(0.9, 1.0, 1.1)))
    cosine = -step / (4 * height)
    expected = height * (1 - cosine**2) + step * (1 - cosine) / 2
    stable, unstable = result.quantities[f'stable_{fault}'], result.quantities[f'unstable_{fault}']
    assert stable.value == pytest.approx(step, rel=1e-9)
    assert stable.uncertainty == pytest.approx(0.1 * step, rel=1e-9)
    assert unstable.value == pytest.approx(expected, rel=2e-3)
    assert unstable.uncertainty == pytest.approx(0.1 * unstable.value, rel=1e-6)
    assert stable.unit == unstable.unit == 'mJ/m2'
    np.testing.assert_allclose(
        result.curves['disagreement_mj_per_m2'], 0.1 * result.curves['energy_mj_per_m2'], atol=1e-6
    )
    assert result.notes == ()


@pytest.mark.parametrize('energy', [lambda displacement: (1 - np.cos(np.pi * displacement)) / 2, lambda _: 0.0])
def test_no_barrier_no_number(energy):
    result = SlipPath(SETTINGS).analyse(START, synthetic(SlipPath(SETTINGS), energy))
    assert list(result.quantities) == ['stable_fault']
    assert result.notes == ('There is no barrier before the fault, and unstable_fault is left out.',)


def test_what_did_not_converge_is_named():
    path = SlipPath(SETTINGS)
    evaluations = synthetic(path, lambda displacement: np.sin(np.pi * displacement) ** 2)
    evaluations['displaced_0300'] = replace(evaluations['displaced_0300'], converged=False)
    assert path.analyse(START, evaluations).notes == ('The relaxation of displaced_0300 did not converge.',)


def test_the_middle_has_to_be_a_point():
    with pytest.raises(SettingsError, match='n_points: 10 is even'):
        StackingFaultSettings.parse({'n_points': 10})


def test_area_is_that_of_the_layer():
    assert Layers.fcc('111', A).area * MJ_PER_M2 == pytest.approx(UNIT, rel=1e-12)
