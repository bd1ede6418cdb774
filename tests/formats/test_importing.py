"""Import of foreign files, and refusal of invalid configurations."""

from __future__ import annotations

from uuid import UUID

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.datasets import read_dataset


def _written(path, images) -> None:
    """Write labels with ASE, some of which may be invalid."""
    labelled = []
    for image in images:
        one = image.copy()
        results = {'energy': -3.0, 'forces': np.zeros((len(one), 3)), 'stress': np.zeros(6)}
        one.calc = SinglePointCalculator(one, **results)
        labelled.append(one)
    ase.io.write(path, labelled, format='extxyz' if path.suffix == '.xyz' else 'db')


def _complaint(tmp_path, image) -> str:
    _written(tmp_path / 'data.xyz', [Atoms('Al', cell=[4, 4, 4], pbc=True), image])
    with pytest.raises(FileFormatError) as error:
        read_dataset(tmp_path / 'data.xyz', trust_units=True, elements=('Al',))
    return str(error.value)


def test_equal_configurations_have_equal_uuids_in_every_file(tmp_path, atoms):
    for image in atoms:
        image.calc = EMT()
        image.get_stress()
        image.get_forces()
    ase.io.write(tmp_path / 'all.xyz', atoms, format='extxyz')
    ase.io.write(tmp_path / 'some.db', atoms[3:], format='db')
    everything, some = read_dataset(tmp_path / 'all.xyz'), read_dataset(tmp_path / 'some.db')
    assert everything.labelled.uuids[3:] == some.labelled.uuids
    assert len(set(everything.labelled.uuids)) == len(atoms)
    assert {UUID(uuid).version for uuid in everything.labelled.uuids} == {5}
    assert list(everything.labelled.iterations) == [0] * len(atoms)


@pytest.mark.parametrize(
    ('positions', 'cell'),
    [
        ([[0, 0, 0], [0, 0, 0.4]], [4, 4, 4]),
        ([[0, 0, 0], [3.8, 3.8, 3.8]], [4, 4, 4]),
        ([[0.1, 0, 0], [-0.2, 8, 4]], [4, 4, 4]),
        ([[0, 0, 0], [2, 1, 4.1]], [[4, 0, 0], [0, 4, 0], [2, 1, 4]]),
    ],
)
def test_atoms_on_one_another_are_found_across_the_boundary(tmp_path, positions, cell):
    image = Atoms('Al2', positions=positions, cell=cell, pbc=True)
    distance = image.get_distance(0, 1, mic=True)
    expected = f'configuration 2: positions: two atoms are {distance:.2f} angstrom apart.'
    assert _complaint(tmp_path, image).endswith(expected)


@pytest.mark.parametrize(
    ('cell', 'message'),
    [
        ([[4, 0, 0], [0, 4, 0], [4, 4, 0]], 'lattice: the cell has no volume'),
        ([4, 4, 1e-5], 'lattice: the cell has no volume'),
        ([40, 40, 0.3], 'lattice: the cell is 0.3 angstrom thin'),
        ([[4, 0, 0], [0, 4, 0], [400, 400, 4]], 'lattice: the cell is 0.04 angstrom thin'),
    ],
)
def test_flat_cells_are_refused(tmp_path, cell, message):
    assert f'configuration 2: {message}' in _complaint(tmp_path, Atoms('Al', cell=cell, pbc=True))


def test_another_element_is_named(tmp_path):
    image = Atoms('AlMg', positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    assert 'configuration 2: species: has Mg where only Al is known' in _complaint(tmp_path, image)


def test_a_molecule_is_refused(tmp_path):
    image = Atoms('Al2', positions=[[0, 0, 0], [0, 0, 2.5]])
    assert 'configuration 2: pbc: is not periodic in all three directions' in _complaint(tmp_path, image)


def test_a_file_of_no_model_may_hold_any_element_but_no_dummy_atom(tmp_path):
    image = Atoms('AlMg', positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    _written(tmp_path / 'data.xyz', [image])
    assert read_dataset(tmp_path / 'data.xyz').labelled.cells.species.tolist() == [13, 12]
    _written(tmp_path / 'dummy.xyz', [Atoms('AlX', positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)])
    with pytest.raises(FileFormatError, match='species: has atomic number 0, which is not an element'):
        read_dataset(tmp_path / 'dummy.xyz')


def test_units_are_judged_by_the_cells_of_aluminium_alone(tmp_path, atoms):
    """Forces in hartree/angstrom are noticed among cells of an alloy, whose labels are not known."""
    alloys = [Atoms('AlNi', positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True) for _ in range(40)]
    _written(tmp_path / 'alloys.xyz', alloys)
    assert len(read_dataset(tmp_path / 'alloys.xyz')) == 40
    pure = [image.copy() for image in atoms]
    for image in pure:
        image.calc = EMT()
        forces = image.get_forces() / 27.2
        image.calc = SinglePointCalculator(image, energy=0.0, forces=forces, stress=np.zeros(6))
    for image in alloys:
        image.calc = SinglePointCalculator(image, energy=0.0, forces=np.zeros((2, 3)), stress=np.zeros(6))
    ase.io.write(tmp_path / 'both.xyz', [*alloys, *pure], format='extxyz')
    with pytest.raises(FileFormatError, match='forces: looks like hartree'):
        read_dataset(tmp_path / 'both.xyz')
