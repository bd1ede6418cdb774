"""Foreign labels in other units and signs than those in which they are read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.formats.plausibility import implausible_labels, implausible_lengths
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.settings import CellSettings


def _melt(seed: int, edge: float = 4.1) -> Cells:
    """Return cells of one density with strongly displaced atoms."""
    generator = np.random.default_rng(seed)
    images = [bulk('Al', cubic=True, a=edge).repeat(2) for _ in range(12)]
    positions = [image.positions + 0.25 * generator.standard_normal((32, 3)) for image in images]
    return Cells.from_lists(positions, [image.cell.array for image in images], species=13)


def _strained(seed: int) -> Cells:
    generator = np.random.default_rng(seed)
    images = [bulk('Al', cubic=True, a=4.05 * generator.uniform(0.93, 1.07)) for _ in range(12)]
    return Cells.from_lists([image.positions for image in images], [image.cell.array for image in images], species=13)


def _slabs(seed: int) -> Cells:
    generator = np.random.default_rng(seed)
    images = [fcc111('Al', (2, 2, 5), a=4.05, vacuum=6.0, periodic=True) for _ in range(12)]
    positions = [image.positions + 0.08 * generator.standard_normal((20, 3)) for image in images]
    return Cells.from_lists(positions, [image.cell.array for image in images], species=13)


def _random(seed: int) -> Cells:
    return random_cells(CellSettings(), n=12, seed=seed)


KINDS = {'melt': _melt, 'strained': _strained, 'slabs': _slabs, 'random': _random}


def _labelled(cells: Cells, energies, forces, stresses) -> LabelledCells:
    n_cells = len(cells)
    uuid = '00000000-0000-4000-8000-000000000000'
    iterations = np.zeros(n_cells, dtype=np.int64)
    return LabelledCells(cells, energies, forces, stresses, (uuid,) * n_cells, iterations, ('imported',) * n_cells)


def _emt(cells: Cells, factor: float = 1.6) -> LabelledCells:
    """Return labels by effective medium theory, scaled to PBE, with a large energy per atom."""
    images = [Atoms(f'Al{len(p)}', positions=p, cell=lattice, pbc=True, calculator=EMT()) for p, lattice in cells]
    energies = np.array([image.get_potential_energy() for image in images]) * factor - 57.0 * cells.n_atoms
    forces = np.concatenate([image.get_forces() for image in images]) * factor
    stresses = np.array([image.get_stress(voigt=False) for image in images]) * factor
    return _labelled(cells, energies, forces, stresses)


@pytest.fixture(scope='module', params=KINDS)
def cells(request) -> Cells:
    return KINDS[request.param](7)


@pytest.fixture(scope='module')
def melt() -> LabelledCells:
    return _emt(_melt(7))


@pytest.fixture(scope='module')
def pressed_melt() -> LabelledCells:
    """Labels with large stresses."""
    return _emt(_melt(7, edge=3.75))


def test_what_is_right_is_not_accused(cells):
    assert implausible_lengths(cells) is None
    for factor in (1.0, 1.6, 2.5):
        assert implausible_labels(_emt(cells, factor), energy_unit='eV') is None


@pytest.mark.parametrize(('factor', 'guess'), [(1 / units.Bohr, 'bohr'), (units.Bohr, 'converted twice'), (0.1, 'nm')])
def test_lengths_in_another_unit_are_recognised(cells, factor, guess):
    scaled = Cells(cells.positions * factor, cells.lattices * factor, cells.offsets, cells.species)
    assert guess in str(implausible_lengths(scaled))


ALIKE = [{'hartree/angstrom', 'Ry/bohr'}, {'hartree/bohr^3', 'Ry/bohr^3'}]


def _names(fault, unit) -> bool:
    """Whether ``unit`` is named, or one of about the same size, which cannot be distinguished."""
    possible = next((units_ for units_ in ALIKE if unit in units_), {unit})
    return any(f'looks like {name} ' in str(fault) for name in possible)


@pytest.mark.parametrize(
    ('unit', 'value'),
    [
        ('hartree/bohr', units.Hartree / units.Bohr),
        ('Ry/bohr', units.Rydberg / units.Bohr),
        ('hartree/angstrom', units.Hartree),
        ('Ry/angstrom', units.Rydberg),
        ('meV/angstrom', 1e-3),
        ('kJ/mol/angstrom', units.kJ / units.mol),
    ],
)
def test_forces_in_another_unit_are_recognised(melt, unit, value):
    fault = implausible_labels(replace(melt, forces=melt.forces / value), energy_unit='eV')
    assert str(fault).startswith('forces: ')
    assert _names(fault, unit)


@pytest.mark.parametrize(
    ('unit', 'value'), [('GPa', units.GPa), ('kbar', 0.1 * units.GPa), ('Ry/bohr^3', units.Rydberg / units.Bohr**3)]
)
def test_stresses_in_another_unit_are_recognised(pressed_melt, unit, value):
    fault = implausible_labels(replace(pressed_melt, stresses=pressed_melt.stresses / value), energy_unit='eV')
    assert str(fault).startswith('stress: ')
    assert _names(fault, unit)


@pytest.mark.parametrize(
    ('unit', 'value'), [('hartree', units.Hartree), ('Ry', units.Rydberg), ('kJ/mol', units.kJ / units.mol)]
)
def test_energies_in_another_unit_are_recognised(melt, unit, value):
    fault = implausible_labels(replace(melt, energies=melt.energies / value), energy_unit='eV')
    assert str(fault).startswith(f'energy: looks like {unit} ')


def test_what_was_taken_for_hartree_is_called_by_its_own_unit(melt):
    taken = replace(melt, forces=melt.forces * units.Hartree)
    assert str(implausible_labels(taken, energy_unit='hartree')).startswith('forces: looks like eV/angstrom ')


@pytest.mark.parametrize('name', ['forces', 'stresses'])
def test_reversed_signs_are_recognised(pressed_melt, name):
    fault = implausible_labels(replace(pressed_melt, **{name: -getattr(pressed_melt, name)}), energy_unit='eV')
    assert 'as if the sign were reversed' in str(fault)


def test_nothing_is_said_about_perfect_crystals_of_one_volume():
    crystal = bulk('Al', cubic=True, a=3.99)
    cells = Cells.from_lists([crystal.positions] * 12, [crystal.cell.array] * 12, species=13)
    generator = np.random.default_rng(0)
    noise = _labelled(cells, generator.normal(size=12), 1e-4 * generator.normal(size=(48, 3)), np.zeros((12, 3, 3)))
    assert implausible_labels(noise, energy_unit='eV') is None


def test_pbe_crystals_at_rest_are_not_accused_of_another_lattice_constant():
    # Stress of warm PBE aluminium at 4.02 angstrom, which is compressed there, but under tension in EMT.
    generator = np.random.default_rng(1)
    crystal = bulk('Al', cubic=True, a=4.02).repeat(2)
    positions = [crystal.positions + 0.05 * generator.standard_normal((32, 3)) for _ in range(12)]
    labelled = _emt(Cells.from_lists(positions, [crystal.cell.array] * 12, species=13))
    compressed = replace(labelled, stresses=np.tile(-2.0 * units.GPa * np.eye(3), (12, 1, 1)))
    assert np.trace(labelled.stresses.mean(axis=0)) > 0
    assert implausible_labels(compressed, energy_unit='eV') is None
    in_gpa = replace(labelled, stresses=compressed.stresses / units.GPa)
    assert str(implausible_labels(in_gpa, energy_unit='eV')).startswith('stress: 1.15 in eV and angstrom is too large')


def test_a_foreign_file_is_refused_unless_its_units_are_trusted(tmp_path, melt):
    images = []
    for index, (positions, lattice) in enumerate(melt.cells):
        image = Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True)
        labels = {'energy': melt.energies[index], 'forces': -melt.forces_of(index), 'stress': melt.stresses[index]}
        image.calc = SinglePointCalculator(image, **labels)
        images.append(image)
    ase.io.write(tmp_path / 'gradients.extxyz', images)
    with pytest.raises(FileFormatError, match=r'gradients.extxyz: forces: looks as if the sign were reversed'):
        read_dataset(tmp_path / 'gradients.extxyz')
    assert len(read_dataset(tmp_path / 'gradients.extxyz', trust_units=True)) == len(images)


@pytest.mark.published
def test_the_published_ani_al_is_not_accused(cells):
    folder = os.environ.get('ANIAL_PUBLISHED_MODEL')
    if not folder:
        pytest.skip('the environment variable ANIAL_PUBLISHED_MODEL does not name the folder of the published ANI-Al')
    engine = make_engine(read_neurochem(Path(folder)), EngineSettings(dtype='float64'))
    found = engine.evaluate(cells, stress=True)
    labelled = _labelled(cells, found.energies, found.forces, found.stresses)
    assert implausible_labels(labelled, energy_unit='eV') is None
    if np.abs(found.forces).max() > 0.1:
        reversed_forces = replace(labelled, forces=-labelled.forces)
        assert 'forces: looks as if the sign were' in str(implausible_labels(reversed_forces, energy_unit='eV'))
        in_hartree = replace(labelled, forces=labelled.forces / units.Hartree)
        assert 'forces: looks like ' in str(implausible_labels(in_hartree, energy_unit='eV'))
