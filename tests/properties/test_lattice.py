"""The lattice constant against lattice sums, and for energies with ripples."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from scipy.optimize import minimize_scalar

from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.evaluation import evaluate_all
from aiida_anial.properties.lattice import (
    Lattice,
    LatticeSettings,
    fitted_lattice_constant,
    relaxed_lattice_constant,
)

SIGMA, EPSILON, CUTOFF = 2.6, 0.4, 5.4


class Curve(Calculator):
    """A calculator whose energy depends on the volume only, with members that are shifted copies of the mean."""

    implemented_properties = ('energy', 'forces', 'stress')

    def __init__(self, energy_of_edge, shifts=(0.0, 0.0)):
        super().__init__()
        self.energy_of_edge, self.shifts = energy_of_edge, np.array(shifts)

    def calculate(self, atoms=None, properties=('energy',), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        volume = self.atoms.cell.volume
        edge, step = np.cbrt(4 * volume), 1e-5
        slope = (self.energy_of_edge(edge + step) - self.energy_of_edge(edge - step)) / (2 * step)
        self.results = {
            'energy': self.energy_of_edge(edge),
            'forces': np.zeros((1, 3)),
            # sigma = dE/dV for a strain of the volume, and dV = 3/4 a^2 da for a cell of one atom.
            'stress': np.array([1.0, 1, 1, 0, 0, 0]) * slope / (0.75 * edge**2),
            'member_energies': self.energy_of_edge(edge - self.shifts),
        }


def birch(edge, a0=4.05, b0=0.48, b0_prime=4.5):
    v0, x = a0**3 / 4, (a0 / edge) ** 2
    return 9 / 16 * v0 * b0 * (b0_prime * (x - 1) ** 3 + (x - 1) ** 2 * (6 - 4 * x)) - 74.5


def rippled(edge):
    return birch(edge) + 4e-4 * np.cos(2 * np.pi * edge / 0.05)


def lennard_jones_energy(edge):
    """Energy per atom by a lattice sum, without a calculator."""
    points = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3), axis=-1).reshape(-1, 3)
    points = points[(points.sum(axis=1) % 2 == 0) & (points != 0).any(axis=1)]
    distances = np.linalg.norm(points, axis=1) * edge / 2
    ratio = (SIGMA / distances[distances < CUTOFF]) ** 6
    return 2 * EPSILON * np.sum(ratio**2 - ratio)


def test_the_relaxed_lattice_constant_of_lennard_jones_is_that_of_the_lattice_sum():
    calculator = LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=CUTOFF)
    expected = minimize_scalar(lennard_jones_energy, bracket=(3.8, 4.0), tol=1e-12).x
    for start in (expected * 0.985, expected * 1.015):
        assert relaxed_lattice_constant(calculator, start) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('start', [4.018, 4.031, 4.04, 4.052, 4.07])
def test_of_several_minima_the_one_downhill_is_found(start):
    found = relaxed_lattice_constant(Curve(rippled), start)
    assert found == pytest.approx(minimize_scalar(rippled, bounds=(found - 0.01, found + 0.01), method='bounded').x)
    # The energy between the start and the minimum is never higher than at the start.
    between = rippled(np.linspace(start, found, 200))
    assert np.diff(between).max() < 1e-9


def test_the_nearest_minima_of_a_rippled_curve_are_different_ones():
    found = {round(relaxed_lattice_constant(Curve(rippled), start), 3) for start in (4.03, 4.07)}
    assert len(found) == 2


def test_a_curve_without_a_minimum_is_refused():
    with pytest.raises(AnialError, match=r'no minimum of the energy downhill from a lattice constant of 4\.050'):
        relaxed_lattice_constant(Curve(lambda edge: -edge), 4.05)


def test_the_fit_finds_the_lattice_constant_whatever_the_order_of_the_cells():
    evaluations = evaluate_all(Lattice(LatticeSettings()).tasks({}), Curve(birch))
    assert len(evaluations) == 13
    assert fitted_lattice_constant(evaluations) == pytest.approx(4.05, abs=1e-6)
    turned = dict(reversed(evaluations.items()))
    assert fitted_lattice_constant(turned) == pytest.approx(4.05, abs=1e-6)


def test_a_fit_goes_across_the_ripples():
    evaluations = evaluate_all(Lattice(LatticeSettings(n_points=31)).tasks({}), Curve(rippled))
    fitted = fitted_lattice_constant(evaluations)
    assert fitted == pytest.approx(4.05, abs=2e-3)
    assert abs(relaxed_lattice_constant(Curve(rippled), fitted) - fitted) > 0.01


def test_the_cells_are_primitive_and_span_the_range_in_one_group():
    tasks = Lattice(LatticeSettings(range_angstrom=(3.9, 4.2), n_points=7)).tasks({})
    assert {task.group for task in tasks.values()} == {'fcc'}
    edges = [np.cbrt(4 * task.atoms.cell.volume) for task in tasks.values()]
    np.testing.assert_allclose(edges, np.linspace(3.9, 4.2, 7))
    assert all(len(task.atoms) == 1 for task in tasks.values())


def test_the_result_holds_the_fit_with_its_error_bar_and_the_curve():
    shifts = np.array([-0.01, 0.0, 0.004])
    lattice = Lattice(LatticeSettings())
    result = lattice.analyse({}, evaluate_all(lattice.tasks({}), Curve(birch, shifts)))
    assert result.quantities['a0_fit'].value == pytest.approx(4.05, abs=1e-6)
    assert result.quantities['a0_fit'].uncertainty == pytest.approx(shifts.std(ddof=1), rel=0.02)
    assert result.quantities['b0_fit'].value == pytest.approx(0.48 * 160.21766, rel=1e-5)
    assert result.quantities['b0_fit'].unit == 'GPa'
    curve = result.curves['energy_ev_per_atom']
    assert curve.min() == 0
    np.testing.assert_allclose(np.diff(curve), np.diff(birch(np.linspace(3.9, 4.2, 13))), atol=1e-12)
    assert result.notes == ()


def test_others_start_from_the_minimum_of_a_potential_and_from_the_fit_of_what_only_evaluates():
    lattice, curve = Lattice(LatticeSettings(n_points=31)), Curve(rippled)
    analysed = lattice.analyse({}, evaluate_all(lattice.tasks({}), curve)).quantities
    assert analysed['a0'].value == pytest.approx(analysed['a0_fit'].value, abs=1e-9)
    lines: list[str] = []
    measured = lattice.measure({}, curve, DynamicsRunner(lines.append)).quantities
    assert measured['a0'].value == relaxed_lattice_constant(curve, analysed['a0'].value)
    assert measured['a0_fit'] == analysed['a0_fit']
    assert lines == [f'lattice: {measured["a0"].value:.4f} angstrom']


def test_without_a_minimum_there_is_no_lattice_constant():
    lattice = Lattice(LatticeSettings(range_angstrom=(4.1, 4.3)))
    with pytest.raises(AnialError, match=r'no lattice constant of FCC: .*no minimum within the range'):
        lattice.analyse({}, evaluate_all(lattice.tasks({}), Curve(birch)))


@pytest.mark.parametrize('values', [{'range_angstrom': [4.2, 3.9]}, {'range_angstrom': [0, 4]}, {'n_points': 3}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(SettingsError, match=next(iter(values))):
        LatticeSettings.parse(values)


def test_the_stress_of_the_test_curve_is_the_derivative_of_its_energy():
    atoms = fcc(4.1)
    atoms.calc = Curve(birch)
    volume, step = atoms.cell.volume, 1e-3
    expected = (birch(np.cbrt(4 * (volume + step))) - birch(np.cbrt(4 * (volume - step)))) / (2 * step)
    assert atoms.get_stress()[0] == pytest.approx(expected, rel=1e-5)
