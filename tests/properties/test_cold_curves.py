"""Cold curves against ASE's fits and a scan of c/a, and for given equations of state."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.morse import MorsePotential
from ase.eos import EquationOfState, birchmurnaghan
from scipy.optimize import minimize_scalar

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.cold_curves import ColdCurves, ColdCurveSettings
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.evaluation import Evaluation, Relaxation, evaluate_all

EDGE = 4.0
START = {'lattice_constant': EDGE}
V0 = EDGE**3 / 4


def morse() -> MorsePotential:
    return MorsePotential(epsilon=0.3, rho0=4.0, r0=3.08, rcut1=1.8, rcut2=2.4)


def energy(atoms):
    atoms.calc = morse()
    return atoms.get_potential_energy() / len(atoms)


@pytest.fixture(scope='module')
def result():
    one = ColdCurves(ColdCurveSettings(crystals=('bcc', 'hcp'), n_points=7))
    return one.analyse(START, evaluate_all(one.tasks(START), morse()))


def made_of(one, curve, *, shifts=None, converged=True):
    """Evaluations whose energy per atom in eV is a function of the crystal and its volume per atom."""
    found = {}
    for name, task in one.tasks(START).items():
        crystal, n_atoms = task.group, len(task.atoms)
        volume = task.atoms.cell.volume / n_atoms
        total = curve(crystal, volume) * n_atoms
        members = None if shifts is None else total + n_atoms * np.array(shifts[crystal])
        settled = converged or task.relaxation is Relaxation.NONE
        found[name] = Evaluation(task.atoms, total, np.zeros((n_atoms, 3)), np.zeros((3, 3)), members, settled)
    return found


HEIGHTS = {'fcc': 0.0, 'hcp': 0.03, 'bcc': 0.1, 'dhcp': -0.01, 'diamond': 0.7}


def birch(crystal, volume):
    ratio = CRYSTALS[crystal].volume_ratio
    return birchmurnaghan(volume, HEIGHTS[crystal] - 74.5, 77 * units.GPa / ratio, 4.4, 1.01 * ratio * V0)


def test_bcc_and_fcc_are_what_ase_fits_to_its_own_cells(result):
    fits = {}
    for name, per_cell in (('fcc', 4), ('bcc', 2)):
        volumes = np.linspace(0.88, 1.12, 7) * CRYSTALS[name].volume_ratio * V0
        energies = [energy(bulk('Al', name, a=np.cbrt(per_cell * volume))) for volume in volumes]
        np.testing.assert_allclose(result.curves[f'{name}_volume_angstrom3_per_atom'], volumes, rtol=1e-12)
        near = np.abs(volumes / volumes[np.argmin(energies)] - 1) < 0.1501
        equation = EquationOfState(volumes[near], np.array(energies)[near], eos='birchmurnaghan')
        fits[name] = equation.fit()
        assert result.quantities[f'{name}_v0'].value == pytest.approx(fits[name][0], rel=1e-6)
        assert result.quantities[f'{name}_b0'].value == pytest.approx(fits[name][2] / units.GPa, rel=1e-5)
        assert result.quantities[f'{name}_b0_prime'].value == pytest.approx(equation.eos_parameters[2], rel=1e-4)
    expected = 1e3 * (fits['bcc'][1] - fits['fcc'][1])
    assert result.quantities['bcc_minus_fcc'].value == pytest.approx(expected, abs=1e-3)
    assert result.quantities['fcc_a0'].value == pytest.approx(np.cbrt(4 * fits['fcc'][0]), rel=1e-6)
    assert result.quantities['bcc_minus_fcc'].uncertainty is None


def test_the_axis_of_hcp_is_where_a_scan_finds_its_minimum(result):
    volumes = result.curves['hcp_volume_angstrom3_per_atom']
    nearest = volumes[np.argmin(np.abs(volumes - result.quantities['hcp_v0'].value))]

    def at(c_over_a):
        a = np.cbrt(nearest * 4 / np.sqrt(3) / c_over_a)
        return energy(bulk('Al', 'hcp', a=a, c=a * c_over_a))

    found = minimize_scalar(at, bracket=(1.6, 1.65), tol=1e-9)
    assert result.quantities['hcp_c_over_a'].value == pytest.approx(found.x, abs=2e-3)
    assert abs(found.x - np.sqrt(8 / 3)) > 1e-3
    curve = result.curves['hcp_energy_ev_per_atom'] + energy(bulk('Al', 'fcc', a=EDGE))
    offset = result.curves['fcc_energy_ev_per_atom'][3]
    assert curve[volumes == nearest][0] - offset == pytest.approx(found.fun, abs=1e-6)


def test_made_up_curves_are_found_again_and_ranked():
    one = ColdCurves(ColdCurveSettings(crystals=tuple(HEIGHTS)))
    found = one.analyse(START, made_of(one, birch))
    assert found.notes == ()
    for name, height in HEIGHTS.items():
        ratio = CRYSTALS[name].volume_ratio
        assert found.quantities[f'{name}_v0'].value == pytest.approx(1.01 * ratio * V0, rel=1e-5)
        assert found.quantities[f'{name}_b0'].value == pytest.approx(77 / ratio, rel=1e-4)
        if name != 'fcc':
            assert found.quantities[f'{name}_minus_fcc'].value == pytest.approx(1e3 * height, abs=1e-3)
    assert 'fcc_minus_fcc' not in found.quantities
    assert found.quantities['fcc_rank'].value == 2
    assert found.quantities['fcc_rank'].unit == '1'
    assert found.quantities['hcp_c_over_a'].value == pytest.approx(np.sqrt(8 / 3))
    assert 'bcc_c_over_a' not in found.quantities
    curve = found.curves['fcc_energy_ev_per_atom']
    assert curve.min() == 0


def test_members_disagree_on_what_differs_between_crystals():
    shifts = {'fcc': [-5.0, 0.0, 3.0], 'bcc': [-4.998, 0.0, 3.004], 'hcp': [-5.001, 0.0, 3.0]}
    one = ColdCurves(ColdCurveSettings(crystals=('hcp', 'bcc')))
    found = one.analyse(START, made_of(one, birch, shifts=shifts))
    spread = np.std([0.002, 0.0, 0.004], ddof=1)
    np.testing.assert_allclose(found.curves['bcc_disagreement_ev_per_atom'], spread, rtol=1e-6)
    np.testing.assert_allclose(found.curves['fcc_disagreement_ev_per_atom'], 0, atol=1e-9)
    assert found.quantities['bcc_minus_fcc'].uncertainty == pytest.approx(1e3 * spread, rel=1e-3)
    assert found.quantities['bcc_v0'].uncertainty == pytest.approx(0, abs=1e-4)


def test_a_crystal_without_a_minimum_has_a_curve_and_a_note_but_no_numbers():
    def curve(crystal, volume):
        return -volume if crystal == 'bcc' else birch(crystal, volume)

    one = ColdCurves(ColdCurveSettings(crystals=('hcp', 'bcc')))
    found = one.analyse(START, made_of(one, curve))
    assert not [name for name in found.quantities if name.startswith('bcc')]
    assert found.quantities['fcc_rank'].value == 1
    assert len(found.curves['bcc_energy_ev_per_atom']) == 13
    assert len(found.notes) == 1
    assert found.notes[0].startswith('The curve of bcc has no fit: ')


def test_without_a_minimum_of_fcc_nothing_is_compared_with_it():
    one = ColdCurves(ColdCurveSettings(crystals=('hcp',)))
    found = one.analyse(
        EDGE, made_of(one, lambda crystal, volume: volume if crystal == 'fcc' else birch('hcp', volume))
    )
    assert set(found.quantities) == {'hcp_v0', 'hcp_b0', 'hcp_b0_prime', 'hcp_c_over_a'}


def test_points_outside_the_window_are_not_fitted():
    def curve(crystal, volume):
        far = abs(volume / (CRYSTALS[crystal].volume_ratio * V0) - 1) > 0.09
        return birch(crystal, volume) + 0.5 * far

    for window, good in ((0.06, True), (0.12, False)):
        one = ColdCurves(ColdCurveSettings(crystals=('fcc',), fit_window=window))
        modulus = one.analyse(START, made_of(one, curve)).quantities['fcc_b0'].value
        assert (modulus == pytest.approx(77, rel=1e-3)) == good


def test_what_did_not_relax_is_named():
    one = ColdCurves(ColdCurveSettings(crystals=('hcp',), n_points=5))
    found = one.analyse(START, made_of(one, birch, converged=False))
    assert found.notes == tuple(f'The relaxation of hcp_{index:02d} did not converge.' for index in range(5))


def test_fcc_is_always_there_and_nothing_is_there_twice():
    tasks = ColdCurves(ColdCurveSettings(crystals=('hcp', 'bcc', 'hcp'), n_points=5)).tasks(START)
    assert list(dict.fromkeys(task.group for task in tasks.values())) == ['fcc', 'hcp', 'bcc']
    assert len(tasks) == 15
    assert tasks['hcp_02'].relaxation is Relaxation.SHAPE
    assert tasks['bcc_02'].relaxation is Relaxation.NONE
    assert tasks['fcc_02'].atoms.cell.volume == pytest.approx(V0, rel=1e-12)


def test_the_full_benchmark_has_every_crystal():
    assert set(ColdCurveSettings().crystals) == set(CRYSTALS)


def test_an_unknown_crystal_is_refused_by_its_name():
    with pytest.raises(SettingsError, match=r"^crystals\.1: 'bct' is not allowed: known crystals are fcc, hcp"):
        ColdCurveSettings.parse({'crystals': ['fcc', 'bct']})
