"""The crystals have the symmetry and the neighbours of their names, and agree with those of ASE."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_anial.properties.crystals import CRYSTALS, cubic_fcc, fcc
from aiida_anial.properties.evaluation import Relaxation

SPACE_GROUPS = {
    'fcc': 225,
    'hcp': 194,
    'dhcp': 194,
    'nine_r': 166,
    'bcc': 229,
    'a15': 223,
    'sc': 221,
    'diamond': 227,
    'beta_sn': 141,
    'simple_hexagonal': 191,
    'omega': 191,
}
VOLUME = 16.6


def spglib_cell(atoms):
    return atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers


@pytest.mark.parametrize('name', CRYSTALS)
def test_a_crystal_has_its_symmetry_and_volume_and_no_smaller_cell(name):
    atoms = CRYSTALS[name].atoms(VOLUME)
    assert spglib.get_symmetry_dataset(spglib_cell(atoms), symprec=1e-6).number == SPACE_GROUPS[name]
    assert len(spglib.find_primitive(spglib_cell(atoms), symprec=1e-6)[2]) == len(atoms)
    assert atoms.cell.volume / len(atoms) == pytest.approx(VOLUME, rel=1e-12)
    assert atoms.pbc.all()
    assert set(atoms.symbols) == {'Al'}


@pytest.mark.parametrize(
    ('name', 'neighbours'),
    [('fcc', 12), ('hcp', 12), ('dhcp', 12), ('nine_r', 12), ('bcc', 8), ('sc', 6), ('diamond', 4), ('beta_sn', 6)],
)
def test_every_atom_has_its_nearest_neighbours(name, neighbours):
    atoms = CRYSTALS[name].atoms(VOLUME)
    nearest = neighbor_list('d', atoms, 6.0).min()
    counts = np.bincount(neighbor_list('i', atoms, nearest * 1.02), minlength=len(atoms))
    assert counts.tolist() == [neighbours] * len(atoms)


@pytest.mark.parametrize(('name', 'hexagonal_share'), [('fcc', 0), ('hcp', 1), ('dhcp', 1 / 2), ('nine_r', 2 / 3)])
def test_close_packed_layers_are_stacked_as_they_should(name, hexagonal_share):
    # The layers on both sides of a hexagonal one are on top of each other: two neighbours at distance c of HCP.
    atoms = CRYSTALS[name].atoms(VOLUME)
    distances = neighbor_list('d', atoms, 5.5) / neighbor_list('d', atoms, 5.5).min()
    above = np.count_nonzero(np.abs(distances - np.sqrt(8 / 3)) < 1e-3)
    assert above / len(atoms) == pytest.approx(2 * hexagonal_share)


@pytest.mark.parametrize(('name', 'cell'), [('fcc', 'fcc'), ('bcc', 'bcc'), ('sc', 'sc'), ('diamond', 'diamond')])
def test_cubic_crystals_have_the_distances_of_those_that_ase_builds(name, cell):
    atoms = CRYSTALS[name].atoms(VOLUME)
    edge = np.cbrt(VOLUME * len(atoms) * {'fcc': 4, 'bcc': 2, 'sc': 1, 'diamond': 4}[name])
    expected = np.sort(neighbor_list('d', bulk('Al', cell, a=edge), 8.0))
    np.testing.assert_allclose(np.sort(neighbor_list('d', atoms, 8.0)), expected, atol=1e-9)
    assert CRYSTALS[name].relaxation is Relaxation.NONE


def test_fcc_has_the_primitive_cell_of_ase():
    np.testing.assert_allclose(fcc(4.05).cell[:], bulk('Al', 'fcc', a=4.05).cell[:], atol=1e-12)


@pytest.mark.parametrize('name', [name for name, crystal in CRYSTALS.items() if crystal.c_over_a is not None])
def test_c_over_a_is_read_from_a_stretched_and_rotated_cell(name):
    crystal = CRYSTALS[name]
    assert crystal.relaxation is Relaxation.SHAPE
    atoms = crystal.atoms(VOLUME)
    assert crystal.c_over_a_of(atoms) == pytest.approx(crystal.c_over_a, rel=1e-12)
    atoms.set_cell(atoms.cell[:] @ np.diag([0.98, 0.98, 1.03]), scale_atoms=True)
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    assert crystal.c_over_a_of(atoms) == pytest.approx(crystal.c_over_a * 1.03 / 0.98, rel=1e-12)


def test_c_over_a_is_that_of_the_conventional_cell():
    for name in ('hcp', 'beta_sn', 'nine_r', 'dhcp', 'omega', 'simple_hexagonal'):
        atoms = CRYSTALS[name].atoms(VOLUME)
        lengths = np.linalg.norm(spglib.get_symmetry_dataset(spglib_cell(atoms), symprec=1e-6).std_lattice, axis=1)
        assert CRYSTALS[name].c_over_a_of(atoms) == pytest.approx(lengths[2] / lengths[0], rel=1e-6)


def test_the_cubic_cell_of_fcc_is_that_of_ase_to_the_last_bit():
    ours, theirs = cubic_fcc(4.0543210987), bulk('Al', 'fcc', a=4.0543210987, cubic=True)
    assert ours == theirs
    assert (ours.positions == theirs.positions).all()
