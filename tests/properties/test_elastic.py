"""Elastic constants, against sums over the lattice and against the energy."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from scipy.optimize import brentq, curve_fit

from aiida_anial.common.errors import SettingsError
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.elastic import ElasticConstants, ElasticSettings
from aiida_anial.properties.evaluation import Evaluation, evaluate_all
from aiida_anial.properties.lattice import relaxed_lattice_constant

SIGMA, EPSILON, CUTOFF = 2.6, 0.4, 5.4
EDGE = 4.0
START = {'lattice_constant': EDGE}


def lattice_points(edge):
    points = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3), axis=-1).reshape(-1, 3)
    points = points[(points.sum(axis=1) % 2 == 0) & (points != 0).any(axis=1)] * edge / 2
    return points[np.linalg.norm(points, axis=1) < CUTOFF]


def slope_and_curvature(distances):
    """First and second derivative of the Lennard-Jones potential."""
    ratio = (SIGMA / distances) ** 6
    slope = -24 * EPSILON * (2 * ratio**2 - ratio) / distances
    return slope, 24 * EPSILON * (26 * ratio**2 - 7 * ratio) / distances**2


def lattice_sum_pressure(edge):
    distances = np.linalg.norm(lattice_points(edge), axis=1)
    return -np.sum(slope_and_curvature(distances)[0] * distances) / (1.5 * edge**3)


def lattice_sum_constants(edge):
    """C11, C12 and C44 in GPa of a pair potential at zero pressure, by the lattice sums of Born and Huang."""
    points = lattice_points(edge)
    distances = np.linalg.norm(points, axis=1)
    slope, curvature = slope_and_curvature(distances)
    weight = (curvature - slope / distances) / distances**2 / (edge**3 / 2) / units.GPa
    return [np.sum(weight * points[:, 0] ** 2 * points[:, axis] ** 2) for axis in (0, 1)]


def test_constants_of_lennard_jones_are_those_of_the_lattice_sum():
    edge = brentq(lattice_sum_pressure, 3.8, 4.3, xtol=1e-13)
    one = ElasticConstants(ElasticSettings(strains=(1e-4, 2e-4), window=2e-4))
    found = one.analyse(
        {'lattice_constant': edge},
        evaluate_all(one.tasks({'lattice_constant': edge}), LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=CUTOFF)),
    )
    c11, c12 = lattice_sum_constants(edge)
    assert c11 > 1.5 * c12 > 0
    assert found.quantities['c11'].value == pytest.approx(c11, rel=1e-5)
    assert found.quantities['c12'].value == pytest.approx(c12, rel=1e-5)
    # Cauchy's relation
    assert found.quantities['c44'].value == pytest.approx(c12, rel=1e-5)
    assert found.quantities['b'].value == pytest.approx((c11 + 2 * c12) / 3, rel=1e-5)
    assert {quantity.unit for quantity in found.quantities.values()} == {'GPa'}


def test_constants_of_emt_are_the_curvatures_of_its_energy():
    edge = relaxed_lattice_constant(EMT(), 3.99)
    one = ElasticConstants(ElasticSettings(strains=(5e-4,), window=5e-4))
    found = one.analyse(
        {'lattice_constant': edge}, evaluate_all(one.tasks({'lattice_constant': edge}), EMT())
    ).quantities

    def curvature(direction, step=1e-3):
        energies = []
        for strain in (-step, 0.0, step):
            atoms = fcc(edge)
            atoms.set_cell(atoms.cell[:] @ (np.eye(3) + strain * np.array(direction)), scale_atoms=True)
            atoms.calc = EMT()
            energies.append(atoms.get_potential_energy())
        return (energies[0] - 2 * energies[1] + energies[2]) / step**2 / (edge**3 / 4) / units.GPa

    assert found['c11'].value == pytest.approx(curvature(np.diag([1, 0, 0])), rel=2e-3)
    assert found['b'].value == pytest.approx(curvature(np.eye(3)) / 9, rel=2e-3)
    orthorhombic = curvature(np.diag([1, -1, 0]))
    assert found['c11'].value - found['c12'].value == pytest.approx(orthorhombic / 2, rel=1e-2)
    # An engineering strain is half in yz and half in zy.
    assert found['c44'].value == pytest.approx(curvature([[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0]]), rel=2e-3)


def made_of(one: ElasticConstants, *, even: float, cubic: float, noise: float = 0.0) -> dict[str, Evaluation]:
    """Evaluations whose stress is 100, 60 and 30 GPa times the strain, plus even and cubic terms, in GPa."""
    generator = np.random.default_rng(2)
    found = {}
    for name, task in one.tasks(START).items():
        deformation = np.linalg.inv(fcc(EDGE).cell[:]) @ task.atoms.cell[:]
        strain, shear = deformation[0, 0] - 1, 2 * deformation[1, 2]
        uniaxial = np.array([100.0, 60.0, 60.0]) * strain + 1 + even * strain**2 + cubic * strain**3
        stress = np.diag(uniaxial + noise * generator.standard_normal(3))
        stress[1, 2] = stress[2, 1] = 30 * shear + cubic * shear**3
        found[name] = Evaluation(task.atoms, 0.0, np.zeros((1, 3)), stress * units.GPa)
    return found


def test_stress_at_rest_and_even_terms_do_not_matter_but_odd_ones_do():
    one = ElasticConstants(ElasticSettings())
    even = one.analyse(START, made_of(one, even=2000.0, cubic=0.0)).quantities
    for suffix in ('', '_strain_0_005', '_strain_0_01'):
        for name, value in (('c11', 100.0), ('c12', 60.0), ('c44', 30.0), ('b', 220 / 3)):
            assert even[name + suffix].value == pytest.approx(value, rel=1e-9)
            assert even[name + suffix].uncertainty == pytest.approx(0, abs=1e-6)
    assert len(even) == 12

    cubic = one.analyse(START, made_of(one, even=0.0, cubic=1e5)).quantities
    strains = np.array([0.002, 0.005, 0.01])
    for count, suffix in enumerate(('', '_strain_0_005', '_strain_0_01'), 1):
        inside = strains[:count]
        expected = 100 + 1e5 * np.sum(inside**4) / np.sum(inside**2)
        assert cubic[f'c11{suffix}'].value == pytest.approx(expected, rel=1e-9)


def test_the_error_of_one_strain_is_the_step_to_the_next_window():
    one = ElasticConstants(ElasticSettings())
    found = one.analyse(START, made_of(one, even=0.0, cubic=1e5)).quantities
    step = found['c11_strain_0_005'].value - found['c11'].value
    assert found['c11'].uncertainty == pytest.approx(step, rel=1e-9)
    assert step > 1
    alone = ElasticConstants(ElasticSettings(strains=(0.01,), window=0.01))
    found = alone.analyse(START, made_of(alone, even=0.0, cubic=1e5)).quantities
    assert set(found) == {'c11', 'c12', 'c44', 'b'}
    assert found['c11'].uncertainty is None


def test_the_error_of_several_strains_is_that_of_a_line_through_all_points():
    one = ElasticConstants(ElasticSettings(strains=(0.002, 0.004, 0.006, 0.008, 0.01), window=0.01))
    found = one.analyse(START, made_of(one, even=0.0, cubic=0.0, noise=0.01))
    x, y = found.curves['strain'], found.curves['stress_xx_gpa']
    assert found.quantities['c11'].value == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-9)
    odd = (y[5:] - y[4::-1]) / 2
    (_, covariance) = curve_fit(lambda strain, slope: slope * strain, x[5:], odd)
    assert found.quantities['c11'].uncertainty == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-4)
    assert 0.1 < found.quantities['c11'].uncertainty < 2


def test_a_larger_window_reports_the_smaller_one_too():
    one = ElasticConstants(ElasticSettings(strains=(0.01, 0.005), window=0.01))
    found = one.analyse(START, made_of(one, even=0.0, cubic=1e5)).quantities
    assert set(found) == {'c11', 'c12', 'c44', 'b'} | {f'{name}_strain_0_005' for name in ('c11', 'c12', 'c44', 'b')}
    assert found['c11'].value > found['c11_strain_0_005'].value == pytest.approx(100 + 1e5 * 0.005**2)


def test_cells_are_primitive_in_one_group_and_shear_keeps_the_volume_to_first_order():
    tasks = ElasticConstants(ElasticSettings()).tasks(START)
    assert len(tasks) == 12
    assert {task.group for task in tasks.values()} == {'strained'}
    assert {'strain_xx_p_0_002', 'strain_xx_m_0_002', 'strain_yz_p_0_01', 'strain_yz_m_0_01'} < set(tasks)
    for name, task in tasks.items():
        assert name.isidentifier()
        assert len(task.atoms) == 1
        ratio = task.atoms.cell.volume / (EDGE**3 / 4)
        strain = float('0.' + name.split('_')[-1]) * (-1 if '_m_' in name else 1)
        assert ratio == pytest.approx(1 + strain if '_xx_' in name else 1 - strain**2 / 4, rel=1e-12)


def test_curves_run_from_the_most_negative_strain_to_the_most_positive_one():
    one = ElasticConstants(ElasticSettings(strains=(0.01, 0.002)))
    curves = one.analyse(START, made_of(one, even=0.0, cubic=0.0)).curves
    assert curves['strain'].tolist() == curves['shear_strain'].tolist() == [-0.01, -0.002, 0.002, 0.01]
    np.testing.assert_allclose(curves['stress_xx_gpa'], 1 + 100 * curves['strain'], atol=1e-9)
    np.testing.assert_allclose(curves['stress_yy_gpa'], 1 + 60 * curves['strain'], atol=1e-9)
    np.testing.assert_allclose(curves['stress_yz_gpa'], 30 * curves['strain'], atol=1e-9)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'window': 0.001}, '^window: it contains none of the strains'),
        ({'strains': []}, '^strains: '),
        ({'strains': [-0.01]}, r'^strains\.0: '),
        ({'strains': [0.5]}, r'^strains\.0: '),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(SettingsError, match=message):
        ElasticSettings.parse(values)


def test_the_uncertainty_is_that_of_the_members(make_ensemble):
    ensemble = make_ensemble()
    one = ElasticConstants(ElasticSettings())
    found, *members = (
        one.analyse(START, evaluate_all(one.tasks(START), AnialCalculator(potential)))
        for potential in (ensemble, *(ensemble.member(index) for index in range(ensemble.n_members)))
    )
    for name in ('c11', 'c12', 'c44', 'b', 'c11_strain_0_01'):
        values = [of_member.quantities[name].value for of_member in members]
        assert found.quantities[name].value == pytest.approx(np.mean(values), abs=1e-6)
        assert found.quantities[name].uncertainty == pytest.approx(np.std(values, ddof=1), rel=1e-5)
