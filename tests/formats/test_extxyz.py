"""Extended XYZ as others read and write it."""

from __future__ import annotations

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io.extxyz import key_val_str_to_dict

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.datasets import read_dataset, write_dataset
from aiida_anial.formats.extxyz import quoted_json, text
from aiida_anial.training.splits import block_of


@pytest.fixture
def path(tmp_path, dataset):
    write_dataset(tmp_path / 'data.extxyz', dataset, file_format='extxyz')
    return tmp_path / 'data.extxyz'


def test_ase_reads_what_is_said_about_each_configuration(path, dataset):
    for index, image in enumerate(ase.io.read(path, ':')):
        info = image.info
        assert info['calculation'] == dataset.labelled.uuids[index]
        assert info['iteration'] == dataset.labelled.iterations[index]
        assert info['origin'] == dataset.labelled.origins[index]
        assert info['content_hash'] == dataset.hashes[index]
        assert info['split_block'] == block_of(dataset.hashes[index])
        assert info['level_of_theory'] == dataset.levels[index]


def test_ase_reads_the_header_from_the_first_configuration_alone(path, dataset):
    first, *others = ase.io.read(path, ':')
    assert {key: first.info['header'][key] for key in dataset.header} == dataset.header
    assert first.info['header']['units']['stress'] == 'eV/angstrom^3'
    assert (first.info['header']['n_configurations'], first.info['header']['n_atoms']) == (6, 48)
    assert [image for image in others if 'header' in image.info] == []


def test_numbers_have_all_their_digits(path, dataset):
    frames = path.read_text().splitlines()
    rows = [line.split()[1:] for line in frames if line.startswith('Al ')]
    values = np.array(rows, dtype=float)
    np.testing.assert_array_equal(values[:, :3], dataset.labelled.cells.positions)
    np.testing.assert_array_equal(values[:, 3:], dataset.labelled.forces)


PLAIN = ['word', 'a.b-c_d+e', '12', '1e5', '012345678901', '0x1f', '1_0', 'nan', 'Infinity', 'T', 'FALSE', 'true']
SPECIAL = ['', 'a=b', 'a,b', 'two words', 'a"b', "it's", 'back\\slash', '{x}', '[1]', '_JSON', ' 1 2 3']


@pytest.mark.parametrize('value', PLAIN + SPECIAL)
def test_ase_reads_any_text_as_that_text(value):
    assert key_val_str_to_dict(f'before=1 key={text(value)} after=2') == {'before': 1, 'key': value, 'after': 2}


def test_ase_reads_any_json():
    value = {'a': [1, None, True, 'q"\\\n='], 'µ': {'b': -1.5e-9}, 'empty': {}}
    assert key_val_str_to_dict(f'key={quoted_json(value)} after=2') == {'key': value, 'after': 2}


def test_what_ase_wrote_is_read(tmp_path, atoms):
    # ASE's writer takes the labels from the calculator.
    for image in atoms:
        image.get_stress()
        image.get_forces()
    ase.io.write(tmp_path / 'ase.xyz', atoms, format='extxyz')
    found = read_dataset(tmp_path / 'ase.xyz')
    assert set(found.labelled.origins) == {'imported'}
    assert set(found.levels) == {'unknown'}
    assert found.header == {}
    for index, image in enumerate(atoms):
        assert found.labelled.energies[index] == pytest.approx(image.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(found.labelled.forces_of(index), image.get_forces(), atol=1e-8)
        np.testing.assert_allclose(found.labelled.stresses[index], image.get_stress(voigt=False), atol=1e-15)


def test_the_names_of_mace_are_read_too(path, dataset):
    renamed = path.read_text().replace('energy=', 'REF_energy=').replace('stress=', 'REF_stress=')
    renamed = renamed.replace(':forces:', ':REF_forces:')
    path.write_text(renamed)
    assert read_dataset(path).labelled.to_bytes() == dataset.labelled.to_bytes()


def test_columns_without_the_header_are_kept(path, dataset):
    first, rest = path.read_text().split(' header=', 1)
    path.write_text(first + rest[rest.index('\n') :])
    found = read_dataset(path)
    assert found.labelled.to_bytes() == dataset.labelled.to_bytes()
    assert found.levels == dataset.levels


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('\nAl ', '\nCu ', 'configuration 1: species: has Cu where only Al is known'),
        ('\nAl ', '\nXx ', 'configuration 1: species: has X|damaged'),
        ('pbc="T T T"', 'pbc="T T F"', 'configuration 1: pbc: is not periodic in all three directions'),
        ('energy=', 'other=', 'configuration 1: has no energy; a label needs energy, forces and stress'),
        ('stress=', 'tension=', 'configuration 1: has no stress'),
        (':forces:', ':velo:', 'configuration 1: has no forces'),
        ('stress="', 'stress="1 ', 'Got info item stress, expecting special 3x3 matrix'),
        ('energy=', 'energy=nan other=', 'configuration 1: energy: a value is not finite'),
        ('energy=', 'energy="1 2" other=', 'damaged'),
        ('Lattice=', 'lattice=', 'configuration 1: (pbc: is not periodic|lattice: the cell has no volume)'),
        ('calculation=', 'calculations=', 'configuration 1: has no calculation'),
        ('calculation=0', 'calculation=x', 'configuration 1: calculation: invalid'),
        ('iteration=0', 'iteration=0.5', 'configuration 1: iteration: .*0.5.* is not a whole number'),
        ('iteration=0', 'iteration=zero', 'configuration 1: iteration: '),
        ('origin=', 'origins=', 'configuration 1: has no origin'),
        ('content_hash=', 'content_hash=0', 'configuration 1: content_hash: is not that of the lattice and'),
        ('content_hash=', 'hash=', 'configuration 1: content_hash: is not that of the lattice and'),
        ('species:S', 'species:R', 'damaged'),
        ('8\nLattice', '9\nLattice', "configuration 2 begins with 'Lattice"),
        ('8\nLattice', '\n8\nLattice', 'configuration 1 begins with an empty line'),
        (
            '8\nLattice',
            '1000000000000\nLattice',
            'configuration 1 has 53 of its 1000000000000 atoms|configuration 1 has',
        ),
        ('"eV/angstrom^3', '"GPa', 'header: has units .*GPa'),
    ],
)
def test_a_fault_is_named_in_one_sentence(path, old, new, message):
    content = path.read_text().replace('\\"', '@')
    assert old.replace('"eV', '@eV') in content
    content = content.replace(old.replace('"eV', '@eV'), new.replace('"G', '@G'), 1)
    path.write_text(content.replace('@', '\\"'))
    with pytest.raises(FileFormatError, match=message) as error:
        read_dataset(path, elements=('Al',))
    assert str(error.value).startswith(f'{path}: ')
    assert str(error.value).endswith('.')
    assert '\n' not in str(error.value)


def test_an_atom_that_moved_is_another_configuration(path):
    frames = path.read_text().splitlines(keepends=True)
    symbol, x, *rest = frames[2].split()
    frames[2] = ' '.join([symbol, repr(float(x) + 1e-3), *rest]) + '\n'
    path.write_text(''.join(frames))
    with pytest.raises(FileFormatError, match='configuration 1: content_hash: is not that of'):
        read_dataset(path)


def test_left_handed_cells_are_refused_and_not_turned(tmp_path, atoms, label, dataset):
    mirrored = [image.copy() for image in atoms]
    for image in mirrored:
        image.set_cell(image.cell.array[[1, 0, 2]])
        image.calc = EMT()
    labelled = label(mirrored)
    write_dataset(
        tmp_path / 'data', replace(dataset, labelled=labelled, levels=dataset.levels[:5]), file_format='extxyz'
    )
    with pytest.raises(FileFormatError, match='configuration 1: lattice: the cell is left-handed; swap two of its vec'):
        read_dataset(tmp_path / 'data')
