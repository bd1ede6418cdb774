"""Surfaces against broken bonds and slabs of ASE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.optimize import BFGS

from aiida_anial.properties.crystals import FACES, Layers
from aiida_anial.properties.evaluation import evaluate_all
from aiida_anial.properties.surfaces import Surfaces, SurfaceSettings

A = 4.0
START = {'lattice_constant': A}
MJ_PER_M2 = 1 / 16021.76634
BUILDERS = {'100': fcc100, '110': fcc110, '111': fcc111}
BROKEN_BONDS = {'100': 4, '110': 6, '111': 3}
AREAS = {'100': A**2 / 2, '110': A**2 / np.sqrt(2), '111': A**2 * np.sqrt(3) / 4}


def with_members(evaluation, scales):
    return replace(evaluation, member_energies=np.array(scales) * evaluation.energy)


@pytest.mark.parametrize('face', FACES)
def test_broken_bonds(face):
    """Half the energy of the broken bonds of a surface atom and, on 110, of one in the next layer."""
    neighbour = A / np.sqrt(2)
    calculator = LennardJones(sigma=neighbour / 2 ** (1 / 6), epsilon=0.4, rc=1.2 * neighbour)
    bond = 4 * 0.4 * (1 / 4 - 1 / 2) - 4 * 0.4 * (1.2**-12 / 4 - 1.2**-6 / 2)
    surfaces = Surfaces(SurfaceSettings(n_layers=7, vacuum_angstrom=6.0))
    quantities = surfaces.analyse(START, evaluate_all(surfaces.tasks(START), calculator)).quantities
    expected = -bond * BROKEN_BONDS[face] / 2 / AREAS[face] / MJ_PER_M2
    assert quantities[f'energy_{face}'].value == pytest.approx(expected, rel=1e-6)
    assert quantities[f'd12_{face}'].value == pytest.approx(0.0, abs=1e-6)
    assert quantities[f'd23_{face}'].value == pytest.approx(0.0, abs=1e-6)


def test_relaxes_as_by_ase():
    surfaces = Surfaces(SurfaceSettings(n_layers=8, vacuum_angstrom=12.0))
    quantities = surfaces.analyse(START, evaluate_all(surfaces.tasks(START), EMT())).quantities
    crystal = bulk('Al', 'fcc', a=A)
    crystal.calc = EMT()
    for face in FACES:
        slab = BUILDERS[face]('Al', (1, 1, 8), a=A, vacuum=6.0)
        slab.pbc = True
        spacing = np.diff(slab.positions[:, 2])[0]
        slab.calc = EMT()
        BFGS(slab, logfile=None).run(fmax=1e-3)
        excess = slab.get_potential_energy() - 8 * crystal.get_potential_energy()
        assert quantities[f'energy_{face}'].value == pytest.approx(excess / 2 / AREAS[face] / MJ_PER_M2, abs=0.1)
        assert quantities[f'energy_{face}'].unit == 'mJ/m2'
        changes = 100 * (np.diff(slab.positions[:, 2]) / spacing - 1)
        assert quantities[f'd12_{face}'].value == pytest.approx(changes[0], abs=0.05)
        assert quantities[f'd23_{face}'].value == pytest.approx(changes[1], abs=0.05)
        assert abs(changes[0]) > 0.5


def test_spacings_are_the_mean_of_both_sides():
    surfaces = Surfaces(SurfaceSettings(n_layers=6))
    evaluations = evaluate_all(
        {name: replace(task, relaxation='none') for name, task in surfaces.tasks(START).items()}, EMT()
    )
    spacing = Layers.fcc('110', A).spacing
    evaluations['slab_110'].atoms.positions[:, 2] += spacing * np.array([0.04, 0, 0, 0, 0.02, 0.0])
    quantities = surfaces.analyse(START, evaluations).quantities
    assert quantities['d12_110'].value == pytest.approx((-4 - 2) / 2)
    assert quantities['d23_110'].value == pytest.approx((0 + 2) / 2)
    assert quantities['d12_110'].unit == '%'


def test_members_and_notes():
    """Energies of members are multiples of the mean, and so are their surface energies."""
    surfaces = Surfaces(SurfaceSettings(n_layers=6))
    evaluations = {
        name: with_members(one, (0.9, 1.0, 1.1))
        for name, one in evaluate_all(
            {name: replace(task, relaxation='none') for name, task in surfaces.tasks(START).items()}, EMT()
        ).items()
    }
    evaluations['slab_100'] = replace(evaluations['slab_100'], converged=False)
    result = surfaces.analyse(START, evaluations)
    for face in FACES:
        energy = result.quantities[f'energy_{face}']
        assert energy.uncertainty == pytest.approx(0.1 * energy.value, rel=1e-9)
    assert result.notes == ('The relaxation of slab_100 did not converge.',)


def test_slab_and_crystal_share_a_group():
    tasks = Surfaces(SurfaceSettings()).tasks(START)
    assert {name: (task.group, task.relaxation) for name, task in tasks.items()} == {
        f'{kind}_{face}': (f'face_{face}', relaxation)
        for face in FACES
        for kind, relaxation in (('bulk', 'none'), ('slab', 'positions'))
    }
    for face in FACES:
        bulk_atoms, slab = tasks[f'bulk_{face}'].atoms, tasks[f'slab_{face}'].atoms
        assert len(bulk_atoms) == len(slab) == 12
        np.testing.assert_allclose(bulk_atoms.cell[:2], slab.cell[:2])
        assert slab.cell[2, 2] - np.ptp(slab.positions[:, 2]) == pytest.approx(15.0)
