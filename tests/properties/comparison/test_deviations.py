"""Deviations of curves: closed forms, on one grid and on two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.comparison.table import curve_rmse, deviations
from aiida_anial.properties.quantity import PropertyResult

X = np.linspace(0.0, 2.0, 9)


def test_on_one_grid_it_is_the_root_mean_square_of_the_points():
    ripple = np.array([1.0, -1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert curve_rmse((X + 5e-7, X**2 + ripple), (X, X**2)) == pytest.approx(np.sqrt(7 / 9), rel=1e-12)


def test_the_order_of_the_points_does_not_matter():
    backwards = (X[::-1], np.sin(X[::-1]) + 0.3)
    assert curve_rmse(backwards, (X, np.sin(X))) == pytest.approx(0.3, rel=1e-12)


def test_between_points_the_curve_is_a_cubic():
    other = np.linspace(-1.0, 3.0, 23)
    # A spline reproduces a cubic, so the difference is 2 everywhere.
    assert curve_rmse((other, other**3 + 2), (X, X**3)) == pytest.approx(2.0, rel=1e-9)


def test_points_of_the_reference_that_are_out_of_reach_do_not_count():
    own = np.linspace(0.5, 1.5, 8)
    reference = np.where((X < 0.5) | (X > 1.5), 99.0, X**3)
    assert curve_rmse((own, own**3 + 0.1), (X, reference)) == pytest.approx(0.1, rel=1e-9)


def test_an_end_counts_in_spite_of_rounding():
    own = np.linspace(0.25 + 1e-9, 1.75 - 1e-9, 8)
    expected = np.where(np.isclose(X, 0.25) | np.isclose(X, 1.75), 3.0, 0.0)
    # Two of seven points deviate.
    assert curve_rmse((own, np.zeros(8)), (X, expected)) == pytest.approx(3 * np.sqrt(2 / 7), rel=1e-9)


@pytest.mark.parametrize('own', [np.linspace(0.0, 2.0, 3), np.linspace(1.4, 5.0, 9), np.linspace(7.0, 9.0, 9)])
def test_too_few_common_points_give_nothing(own):
    assert curve_rmse((own, own), (X, X)) is None


def test_paths_are_in_the_units_of_the_paper(make_subject):
    found = deviations(make_subject('one', scale=1.1), make_subject('dft', 'dft'))
    x = np.linspace(0.85, 1.6, 16)
    expected = 10.0 * np.sqrt(np.mean(np.sin(4 * x) ** 2))
    assert found['bain']['rmse'].unit == 'meV/atom'
    assert found['bain']['rmse'].value == pytest.approx(expected, rel=1e-9)
    x = np.linspace(0.0, 1.0, 11)
    for name in ('slip', 'twin'):
        assert found[name]['rmse'].unit == 'mJ/m2'
        assert found[name]['rmse'].value == pytest.approx(20 * np.sqrt(np.mean(np.sin(np.pi * x) ** 4)), rel=1e-9)


def test_cold_curves_are_compared_at_the_same_volumes(make_subject):
    # On shifted grids, the energies are the same function of volume.
    found = deviations(make_subject('one', scale=1.3), make_subject('dft', 'dft'))['cold_curves']
    assert found['fcc_rmse'].value == pytest.approx(0.0, abs=1e-9)
    assert found['bcc_minus_fcc_error'].value == pytest.approx(30.0, rel=1e-12)
    assert found['diamond_minus_fcc_error'].value == pytest.approx(60.0, rel=1e-12)


def test_uncertainties_of_both_add_up():
    one, other = (_cold(Quantity(value, 'meV/atom', spread)) for value, spread in ((5.0, 3.0), (7.0, 4.0)))
    other = replace(other, kind='dft')
    assert deviations(one, other)['cold_curves']['bcc_minus_fcc_error'] == Quantity(-2.0, 'meV/atom', 5.0)
    certain = replace(_cold(Quantity(7.0, 'meV/atom')), kind='dft')
    assert deviations(one, certain)['cold_curves']['bcc_minus_fcc_error'].uncertainty == 3.0
    assert deviations(certain, certain)['cold_curves']['bcc_minus_fcc_error'].uncertainty is None


def test_only_dft_is_right():
    one, other = (_cold(Quantity(value, 'meV/atom')) for value in (5.0, 7.0))
    assert deviations(one, other) == {}


def test_what_one_of_the_two_lacks_is_left_out(make_subject):
    whole = make_subject('dft', 'dft')
    part = replace(whole, results={'bain': whole.results['bain']})
    assert list(deviations(part, whole)) == ['bain']
    assert list(deviations(whole, part)) == ['bain']
    assert deviations(Subject('none', 'eam', {}), whole) == {}


def _cold(quantity):
    return Subject('one', 'ensemble', {'cold_curves': PropertyResult({'bcc_minus_fcc': quantity})})
