"""Stacks of layers against crystals and slabs of ASE."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from aiida_anial.properties.crystals import FACES, MJ_PER_M2, Layers

A = 4.05
BUILDERS = {'100': fcc100, '110': fcc110, '111': fcc111}


def neighbours(atoms, cutoff=2.5 * A):
    """Return the sorted distances around each atom."""
    first, distances = neighbor_list('id', atoms, cutoff)
    return [np.sort(distances[first == index]) for index in range(len(atoms))]


@pytest.mark.parametrize('face', FACES)
@pytest.mark.parametrize('n_layers', [1, 6, 7, 8])
def test_any_number_of_layers_is_the_crystal(face, n_layers):
    (expected,) = neighbours(bulk('Al', 'fcc', a=A))
    atoms = Layers.fcc(face, A).crystal(n_layers)
    assert len(atoms) == n_layers
    for found in neighbours(atoms):
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize('face', FACES)
def test_slab_is_that_of_ase(face):
    layers = Layers.fcc(face, A)
    atoms = layers.slab(7, vacuum=12.0)
    expected = BUILDERS[face]('Al', (1, 1, 7), a=A, vacuum=6.0)
    expected.pbc = True
    assert layers.area == pytest.approx(expected.cell.volume / expected.cell[2, 2], rel=1e-12)
    np.testing.assert_allclose(atoms.positions[:, 2], expected.positions[:, 2], atol=1e-10)
    np.testing.assert_allclose(atoms.cell[2], expected.cell[2], atol=1e-10)
    for found, distances in zip(neighbours(atoms), neighbours(expected), strict=True):
        np.testing.assert_allclose(found, distances, atol=1e-10)


def test_glides_are_partial_burgers_vectors():
    layers = Layers.fcc('111', A)
    assert np.linalg.norm(layers.shift) == pytest.approx(A / np.sqrt(6), rel=1e-12)
    whole = layers.crystal(6, [0.0] * 3 + [3.0] * 4)
    for found, expected in zip(neighbours(whole), neighbours(layers.crystal(6)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10)
    # On top of each other, layers have neighbours at a distance of one spacing.
    on_top = layers.crystal(6, [0.0] * 6 + [2.0])
    assert [found[0] for found in neighbours(on_top)] == pytest.approx(
        [layers.spacing] + [A / np.sqrt(2)] * 4 + [layers.spacing]
    )


def test_alternating_glides_make_hcp():
    """An additional partial glide at every second plane turns ABCABC into ABABAB."""
    hcp = bulk('Al', 'hcp', a=A / np.sqrt(2), c=2 * A / np.sqrt(3))
    stack = Layers.fcc('111', A).crystal(6, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0])
    for atoms in (hcp, stack):
        atoms.calc = EMT()
    assert stack.get_potential_energy() / 6 == pytest.approx(hcp.get_potential_energy() / 2, abs=1e-10)


def test_unit_of_fault_energies():
    electron_volt, angstrom = 1.602176634e-19, 1e-10
    millijoules = 1 / MJ_PER_M2
    assert millijoules == pytest.approx(1e3 * electron_volt / (angstrom * angstrom), rel=1e-6)
