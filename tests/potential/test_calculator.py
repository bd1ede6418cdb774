import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress
from ase.md.verlet import VelocityVerlet

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.potential import write_potential


@pytest.fixture
def atoms(make_cell, ensemble):
    positions, lattice = make_cell(7, seed=16)
    return Atoms('Al7', positions=positions, cell=lattice, pbc=True, calculator=AnialCalculator(ensemble))


def test_results_are_those_of_the_engine(atoms, engine):
    expected = engine.evaluate(
        Cells.from_lists([atoms.positions], [atoms.cell[:]], species=13), stress=True, member_forces=True
    )
    assert atoms.get_potential_energy() == pytest.approx(expected.energies[0], rel=1e-13)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-12)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), expected.stresses[0], atol=1e-13)
    results = atoms.calc.results
    np.testing.assert_allclose(results['member_energies'], expected.member_energies[:, 0], rtol=1e-13)
    assert results['energy_disagreement'] == pytest.approx(expected.energy_disagreement[0], rel=1e-9)
    disagreement = atoms.calc.get_property('force_disagreement', atoms)
    np.testing.assert_allclose(disagreement, expected.force_disagreement, atol=1e-12)
    assert disagreement.min() > 0


def test_stress_has_the_sign_and_the_order_of_ase(atoms):
    expected = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), expected, atol=1e-6)
    assert np.abs(np.diff(np.sort(expected))).min() > 1e-5


def test_a_path_will_do(tmp_path, ensemble, atoms):
    write_potential(tmp_path / 'ensemble', ensemble)
    energy = atoms.get_potential_energy()
    atoms.calc = AnialCalculator(str(tmp_path / 'ensemble'))
    assert atoms.get_potential_energy() == energy
    with pytest.raises(FileFormatError, match='no such file'):
        AnialCalculator(tmp_path / 'nowhere')


def test_results_follow_the_atoms(atoms):
    before = atoms.get_potential_energy()
    atoms.positions[0] += 0.05
    assert atoms.get_potential_energy() != before


def test_other_elements_are_refused(atoms):
    atoms.symbols[0] = 'Cu'
    with pytest.raises(AnialError, match='Al, not Cu'):
        atoms.get_potential_energy()


def test_a_cluster_and_a_slab_have_vacuum_where_they_are_not_periodic(ensemble):
    cluster = bulk('Al', 'fcc', 4.05, cubic=True) * 2
    cluster.pbc = False
    boxed = cluster.copy()
    boxed.center(vacuum=10.0)
    boxed.pbc = True
    slab = fcc111('Al', (2, 2, 3), orthogonal=True, a=4.05)
    thick = slab.copy()
    thick.center(vacuum=10.0, axis=2)
    thick.pbc = True
    for open_one, closed in ((cluster, boxed), (slab, thick)):
        open_one.calc, closed.calc = AnialCalculator(ensemble), AnialCalculator(ensemble)
        assert open_one.get_potential_energy() == pytest.approx(closed.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(open_one.get_forces(), closed.get_forces(), atol=1e-11)
        with pytest.raises(PropertyNotImplementedError, match='not periodic'):
            open_one.get_stress()


def test_single_precision_differs_by_rounding_alone(atoms):
    fast = atoms.copy()
    fast.calc = atoms.calc.in_single_precision()
    difference = np.abs(fast.get_forces() - atoms.get_forces()).max()
    assert 0 < difference < 1e-4


def test_dynamics_keep_the_energy(atoms):
    atoms.set_velocities(np.random.default_rng(0).normal(size=(7, 3)) * 0.02)
    totals = []
    dynamics = VelocityVerlet(atoms, timestep=0.5 * units.fs)
    dynamics.attach(lambda: totals.append(atoms.get_total_energy()))
    dynamics.run(25)
    assert np.ptp(totals) < 0.02 * atoms.get_kinetic_energy()
