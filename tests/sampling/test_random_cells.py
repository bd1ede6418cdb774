"""Random cells against their definition, an independent implementation, and the distributions they must have."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from ase import Atoms, units
from ase.data import atomic_masses
from ase.neighborlist import neighbor_list
from numpy.random import PCG64, SeedSequence
from scipy.stats import kstest

from aiida_anial.common.errors import SettingsError
from aiida_anial.sampling.random_cells import check_fillable, random_cell, random_cells
from aiida_anial.sampling.settings import CellFamily, CellSettings

SMALL = CellFamily(fraction=0.45, edges_angstrom=(4.0, 6.2), n_atoms=(4, 10))
MEDIUM = CellFamily(fraction=0.55, edges_angstrom=(5.5, 8.5), n_atoms=(8, 28))
# A range of atom numbers so wide that edges and density are uniform.
# Digest of the cell of `slow_cell` for seed 2021, index 7 of the family MEDIUM.
PINNED = '89d6ef85868d18cc41fe79fd569445fcd239e541ffdacdf4a87b257eda17e89c'
FREE = CellSettings(families=(CellFamily(edges_angstrom=(6.0, 9.0), n_atoms=(1, 1000)),))


def slow_cell(edges_angstrom, n_atoms, *, seed, index):
    """Return edges and positions in 1e-6 angstrom, one Python integer and one candidate at a time."""
    source = PCG64(SeedSequence([seed, index], spawn_key=(0,)))

    def draw(low, high):
        return low + ((int(source.random_raw()) >> 32) * (high - low + 1) >> 32)

    low, high = (int(edge * 10**6) for edge in edges_angstrom)
    while True:
        x, y, z, density = draw(low, high), draw(low, high), draw(low, high), draw(1800000, 4050000)
        mass = 26982 * 166053906660 * 10**10
        n = int(density * x * y * z / mass + 0.5)
        if n_atoms[0] <= n <= n_atoms[1] and 1800000 <= n * mass / (x * y * z) <= 4050000:
            break
    placed = []
    while len(placed) < n:
        new = [draw(0, edge - 1) for edge in (x, y, z)]
        if all(
            sum(min(abs(a - b), e - abs(a - b)) ** 2 for a, b, e in zip(new, old, (x, y, z), strict=True)) >= 1800000**2
            for old in placed
        ):
            placed.append(new)
    return [x, y, z], placed


@pytest.mark.parametrize('family', [SMALL, MEDIUM])
def test_equal_to_slow_reference(family):
    settings = CellSettings(families=(family,))
    for index in range(12):
        lattice, positions = random_cell(settings, seed=11, index=index)
        edges, placed = slow_cell(family.edges_angstrom, family.n_atoms, seed=11, index=index)
        assert np.rint(np.diagonal(lattice) * 1e6).astype(int).tolist() == edges
        assert np.rint(positions * 1e6).astype(int).tolist() == placed


def test_same_integers_for_ever():
    """The digest is that of `slow_cell`: a changed cell changes the meaning of every stored seed."""
    edges, placed = slow_cell(MEDIUM.edges_angstrom, MEDIUM.n_atoms, seed=2021, index=7)
    lattice, positions = random_cell(CellSettings(families=(MEDIUM,)), seed=2021, index=7)
    expected = hashlib.sha256(repr((edges, placed)).encode()).hexdigest()
    integers = (np.rint(np.diagonal(lattice) * 1e6).astype(int).tolist(), np.rint(positions * 1e6).astype(int).tolist())
    assert hashlib.sha256(repr(integers).encode()).hexdigest() == expected == PINNED


def test_cell_does_not_depend_on_others():
    settings = CellSettings(families=(SMALL, MEDIUM))
    batch = random_cells(settings, seed=5, n=10)
    lattice, positions = random_cell(settings, seed=5, index=5)
    np.testing.assert_array_equal(batch.one(5)[0], positions)
    np.testing.assert_array_equal(batch.one(5)[1], lattice)
    assert not np.array_equal(random_cell(settings, seed=6, index=5)[0], lattice)


def test_edges_and_density_uniform():
    cells = random_cells(FREE, seed=1, n=300)
    edges = np.diagonal(cells.lattices, axis1=1, axis2=2)
    for axis in range(3):
        assert kstest(edges[:, axis], 'uniform', args=(6.0, 3.0)).pvalue > 0.01
    density = cells.n_atoms * atomic_masses[13] * 1.66053906660 / cells.volumes
    assert density.min() >= 1.80 * (1 - 1e-4)
    assert density.max() <= 4.05 * (1 + 1e-4)
    assert kstest(density, 'uniform', args=(1.80, 2.25)).pvalue > 0.01


def test_positions_uniform():
    cells = random_cells(FREE, seed=2, n=60)
    edges = np.diagonal(cells.lattices, axis1=1, axis2=2)[cells.cell_of_atom]
    fractions = cells.positions / edges
    assert fractions.min() >= 0
    assert fractions.max() < 1
    for axis in range(3):
        assert kstest(fractions[:, axis], 'uniform').pvalue > 0.01


@pytest.mark.parametrize('settings', [CellSettings(), CellSettings(families=(SMALL, MEDIUM))])
def test_limits_kept(settings):
    cells = random_cells(settings, seed=3, n=12)
    low = min(family.n_atoms[0] for family in settings.families)
    high = max(family.n_atoms[1] for family in settings.families)
    assert cells.n_atoms.min() >= low
    assert cells.n_atoms.max() <= high
    for positions, lattice in cells:
        atoms = Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True)
        # Images of an atom are among its neighbours, and small cells are shorter than the range.
        assert neighbor_list('d', atoms, 4.3).min() >= 1.8 * (1 - 1e-12)


def test_close_pairs_are_as_frequent_as_chance_allows():
    """Beyond the closest distance atoms ignore each other at low density: g(r) is 0 below 1.8 and about 1 above."""
    thin = CellSettings(
        families=(CellFamily(edges_angstrom=(12.0, 12.0), n_atoms=(1, 100)),), density_g_per_cm3=(0.30, 0.33)
    )
    cells = random_cells(thin, seed=4, n=150)
    found = sum(
        len(neighbor_list('i', Atoms(f'Al{len(p)}', positions=p, cell=cell, pbc=True), 3.0)) for p, cell in cells
    )
    shell = 4 / 3 * np.pi * (3.0**3 - 1.8**3)
    expected = sum(n * (n - 1) * shell / volume for n, volume in zip(cells.n_atoms, cells.volumes, strict=True))
    # Pairs excluded from the sphere of 1.8 angstrom appear outside it: a correction of 24 / 1728.
    expected /= 1 - 4 / 3 * np.pi * 1.8**3 / 12.0**3
    assert found == pytest.approx(expected, abs=5 * np.sqrt(2 * expected))


@pytest.mark.parametrize('n', [3, 10, 40])
def test_small_batches_have_their_share_of_families(n):
    settings = CellSettings(families=(SMALL, CellFamily(fraction=0.55, edges_angstrom=(6.3, 8.5), n_atoms=(8, 28))))
    for seed in range(4):
        edges = np.diagonal(random_cells(settings, seed=seed, n=n).lattices, axis1=1, axis2=2)
        assert abs((edges.max(axis=1) <= 6.2).sum() - 0.45 * n) < 1.5


@pytest.mark.parametrize(
    ('values', 'key'),
    [
        ({'families': [{'edges_angstrom': [4.0, 5.0], 'n_atoms': [55, 250]}]}, 'families.0.n_atoms'),
        ({'families': [{}, {'edges_angstrom': [1.5, 5.0], 'n_atoms': [1, 9]}]}, 'families.1.edges_angstrom'),
        ({'density_g_per_cm3': [5.7, 6.0]}, 'min_distance_angstrom'),
        ({'families': [{'edges_angstrom': [4.0, 4.0], 'n_atoms': [3, 3]}], 'density_g_per_cm3': [2.5, 2.6]}, 'n_atoms'),
    ],
)
def test_impossible_ranges_are_named(values, key):
    with pytest.raises(SettingsError, match=key):
        check_fillable(CellSettings.parse(values))


def test_rare_cells_give_an_error_and_no_hang():
    """One atom fits only into the smallest of these cells, which is hardly ever drawn."""
    settings = CellSettings(families=(CellFamily(edges_angstrom=(2.0, 100.0), n_atoms=(1, 1)),))
    check_fillable(settings)
    with pytest.raises(SettingsError, match='n_atoms: 20000 draws'):
        random_cells(settings, seed=0, n=1)


def test_jamming_gives_an_error_and_no_hang():
    """The density range is possible, and so is the number of atoms, but seven spheres of 2.1 never fit into 4.0."""
    settings = CellSettings(
        families=(CellFamily(edges_angstrom=(4.0, 4.0), n_atoms=(7, 7)),),
        density_g_per_cm3=(3.5, 5.4),
        min_distance_angstrom=2.1,
    )
    check_fillable(settings)
    with pytest.raises(SettingsError, match='min_distance_angstrom'):
        random_cells(settings, seed=0, n=1)


def test_cells_of_another_element_have_its_density():
    settings = CellSettings.parse({'element': 'Cu', 'density_g_per_cm3': [6.0, 8.0], 'min_distance_angstrom': 1.6})
    cells = random_cells(settings, seed=3, n=4)
    assert set(cells.species.tolist()) == {29}
    densities = cells.n_atoms * atomic_masses[29] / cells.volumes / units.mol * 1e24
    assert 6.0 <= densities.min() <= densities.max() <= 8.0


@pytest.mark.parametrize('element', ['X', 'Zz', 'al', ''])
def test_what_is_not_an_element_is_refused(element):
    with pytest.raises(SettingsError, match=r'element: .*is not the symbol of an element'):
        CellSettings.parse({'element': element})
