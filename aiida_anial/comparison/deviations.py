"""How far the curves of one subject are from those of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from aiida_anial.comparison.subject import Subject
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.quantity import Quantity

__all__ = ('curve_rmse', 'deviations')

Array = NDArray[np.float64]

# Of each path: its coordinate, its energy, the unit of the deviation, and that of the energy in it.
_PATHS = {
    'bain': ('c_over_a', 'energy_ev_per_atom', 'meV/atom', 1e3),
    'trigonal': ('stretch_ratio', 'energy_ev_per_atom', 'meV/atom', 1e3),
    'slip': ('displacement', 'energy_mj_per_m2', 'mJ/m2', 1.0),
    'twin': ('displacement', 'energy_mj_per_m2', 'mJ/m2', 1.0),
}
_COLD = 'cold_curves'
_VOLUME, _ENERGY = '_volume_angstrom3_per_atom', '_energy_ev_per_atom'
_ABOVE_FCC = '_minus_fcc'

_SAME = 1e-6
_MIN_POINTS = 4


def deviations(subject: Subject, reference: Subject) -> dict[str, dict[str, Quantity]]:
    """Return how far ``subject`` is from ``reference``, as quantities by property.

    ``rmse`` of the paths and ``X_rmse`` of the cold curves are root mean squares over the points of the reference (see
    ``curve_rmse``), and ``X_minus_fcc_error`` is the energy of a crystal above FCC, each at its own minimum, less that
    of the reference. What one of the two does not have is left out.
    """
    found = {}
    for name, (coordinate, energy, unit, factor) in _PATHS.items():
        own, other = subject.result(name).curves, reference.result(name).curves
        rmse = _rmse(own, other, coordinate, energy)
        if rmse is not None:
            found[name] = {'rmse': Quantity(rmse * factor, unit)}
    cold = dict(_cold_curves(subject.result(_COLD), reference.result(_COLD)))
    return found | ({_COLD: cold} if cold else {})


def curve_rmse(own: tuple[Array, Array], reference: tuple[Array, Array]) -> float | None:
    """Return the root mean square of the difference of two curves, in the unit of their ordinates.

    It is taken over the points of the reference: where the two were not computed at the same coordinates, to 1e-6, at
    those of them that the other curve reaches, on a cubic spline through it. DFT is the reference as a rule, and is
    not interpolated.

    :param own: coordinates ``[T]`` and ordinates ``[T]``.
    :param reference: coordinates ``[R]`` and ordinates ``[R]``.
    :return: None if the curves have fewer than four points in common.
    """
    x, y = _sorted(*own)
    at, expected = _sorted(*reference)
    if len(x) < _MIN_POINTS:
        return None
    if len(x) == len(at) and np.allclose(x, at, rtol=0, atol=_SAME):
        return _root_mean_square(y - expected)
    common = (at >= x[0] - _SAME) & (at <= x[-1] + _SAME)
    if np.count_nonzero(common) < _MIN_POINTS:
        return None
    return _root_mean_square(CubicSpline(x, y)(at[common]) - expected[common])


def _root_mean_square(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _cold_curves(own: PropertyResult, reference: PropertyResult) -> Iterator[tuple[str, Quantity]]:
    """Give what there is of the cold curves."""
    for key in reference.curves:
        crystal = key.removesuffix(_ENERGY)
        if crystal == key:
            continue
        rmse = _rmse(own.curves, reference.curves, crystal + _VOLUME, key)
        if rmse is not None:
            yield f'{crystal}_rmse', Quantity(1e3 * rmse, 'meV/atom')
    for key, expected in reference.quantities.items():
        if key.endswith(_ABOVE_FCC) and key in own.quantities:
            yield f'{key}_error', _difference(own.quantities[key], expected)


def _difference(own: Quantity, expected: Quantity) -> Quantity:
    """Return the difference, with the uncertainties of both, which are independent."""
    known = [one.uncertainty for one in (own, expected) if one.uncertainty is not None]
    return Quantity(own.value - expected.value, own.unit, hypot(*known) if known else None)


def _rmse(own: Mapping[str, Array], reference: Mapping[str, Array], coordinate: str, energy: str) -> float | None:
    """Return the deviation of two curves by their names, None where one is missing."""
    names = (coordinate, energy)
    if any(name not in curves for name in names for curves in (own, reference)):
        return None
    return curve_rmse((own[coordinate], own[energy]), (reference[coordinate], reference[energy]))


def _sorted(x: Array, y: Array) -> tuple[Array, Array]:
    order = np.argsort(x, kind='stable')
    return x[order], y[order]
