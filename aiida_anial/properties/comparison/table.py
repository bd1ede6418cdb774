"""A benchmark as a table: quantities with literature values, and deviations from a reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.references import Reference, references
from aiida_anial.properties.comparison.results import DFT_KIND, Subject, property_names
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Property
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import PROPERTIES

__all__ = ('Row', 'comparison_table', 'curve_rmse', 'deviations')

Array = NDArray[np.float64]

_ERROR = '_error'

_SAME = 1e-6
_MIN_POINTS = 4


def deviations(subject: Subject, reference: Subject) -> dict[str, dict[str, Quantity]]:
    """Return the deviations of ``subject`` from ``reference``, as quantities by property.

    For curves whose panel has an ``rmse``, they are root mean squares over the points of the reference (see
    ``curve_rmse``); for quantities with an ``_error`` column, they are differences, if the reference is DFT. What one
    of the two lacks is left out.
    """
    found = {}
    for name, one in PROPERTIES.items():
        quantities = dict(_curve_deviations(one, subject.result(name), reference.result(name)))
        if reference.kind == DFT_KIND:
            quantities |= dict(_errors(one, subject.result(name), reference.result(name)))
        if quantities:
            found[name] = quantities
    return found


def curve_rmse(own: tuple[Array, Array], reference: tuple[Array, Array]) -> float | None:
    """Return the root mean square of the difference of two curves, in the unit of their ordinates.

    The mean is over the points of the reference. If the coordinates differ by more than 1e-6, the other curve is
    interpolated by a cubic spline, and points beyond its ends are left out. The reference, usually DFT, is never
    interpolated.

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
    from scipy.interpolate import CubicSpline

    return _root_mean_square(CubicSpline(x, y)(at[common]) - expected[common])


def _root_mean_square(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _curve_deviations(
    one: type[Property[Any]], own: PropertyResult, reference: PropertyResult
) -> Iterator[tuple[str, Quantity]]:
    """Yield the deviations of the curves of one property."""
    for panel in one.panels:
        if not isinstance(panel, Curve) or not panel.rmse or not (panel.is_in(own) and panel.is_in(reference)):
            continue
        rmse = curve_rmse(
            (own.curves[panel.x], own.curves[panel.y]), (reference.curves[panel.x], reference.curves[panel.y])
        )
        column = one.column(panel.rmse)
        if rmse is not None and column is not None:
            yield panel.rmse, Quantity(panel.scale * rmse, column.unit)


def _errors(one: type[Property[Any]], own: PropertyResult, reference: PropertyResult) -> Iterator[tuple[str, Quantity]]:
    """Yield the errors of the quantities of one property."""
    for key, expected in reference.quantities.items():
        error = one.column(key + _ERROR)
        if error is not None and error.quantity.endswith(_ERROR) and key in own.quantities:
            yield key + _ERROR, _difference(own.quantities[key], expected)


def _difference(own: Quantity, expected: Quantity) -> Quantity:
    """Return the difference, with the combined uncertainty of both, assumed to be independent."""
    known = [one.uncertainty for one in (own, expected) if one.uncertainty is not None]
    return Quantity(own.value - expected.value, own.unit, hypot(*known) if known else None)


def _sorted(x: Array, y: Array) -> tuple[Array, Array]:
    order = np.argsort(x, kind='stable')
    return x[order], y[order]


_Found = dict[str, dict[str, Quantity]]


@dataclass(frozen=True)
class Row:
    """One quantity of one property.

    :param property_name: name of the property, such as ``elastic``.
    :param quantity: name of the quantity, such as ``c11``.
    :param unit: unit of all numbers in the row.
    :param values: values by subject; subjects without the quantity are left out.
    :param references: literature values, in the order of their file.
    """

    property_name: str
    quantity: str
    unit: str
    values: Mapping[str, Quantity]
    references: tuple[Reference, ...]


def comparison_table(subjects: Sequence[Subject], *, reference: Subject | None = None) -> list[Row]:
    """Return a row for every quantity of any subject, with properties in the order of the benchmark.

    :param subjects: subjects with different names.
    :param reference: subject with which the others are compared; without it, there are no rows with deviations.
    :raises AnialError: if two subjects have the same name, or a quantity has two units.
    """
    names = [subject.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise AnialError(f'{name}: two of the compared potentials have this name.')
    found = {subject.name: _quantities(subject, reference) for subject in subjects}
    rows = []
    for name in property_names(subjects):
        of_property = {subject: quantities.get(name, {}) for subject, quantities in found.items()}
        keys = dict.fromkeys(key for quantities in of_property.values() for key in quantities)
        rows += [_row(name, key, of_property) for key in sorted(keys, key=_natural)]
    return rows


def _quantities(subject: Subject, reference: Subject | None) -> _Found:
    """Return the quantities of one subject by property, deviations included."""
    compared = deviations(subject, reference) if reference is not None and reference.name != subject.name else {}
    return {name: {**result.quantities, **compared.get(name, {})} for name, result in subject.results.items()}


def _row(name: str, key: str, quantities: _Found) -> Row:
    """Return one row.

    :param quantities: quantities of the property, by subject.
    """
    values = {
        subject: _present(of_subject[key], name) for subject, of_subject in quantities.items() if key in of_subject
    }
    known = references(name, key)
    units = {one.unit for one in values.values()} | {one.value.unit for one in known}
    if len(units) > 1:
        raise AnialError(f'{name}.{key}: the units {" and ".join(sorted(units))} cannot be compared.')
    return Row(name, key, units.pop(), values, known)


def _present(quantity: Quantity, name: str) -> Quantity:
    """Return the quantity in its present unit: dumbbells of before are in eV."""
    if name != 'dumbbell' or quantity.unit != 'eV':
        return quantity
    uncertainty = None if quantity.uncertainty is None else 1000 * quantity.uncertainty
    return Quantity(1000 * quantity.value, 'meV', uncertainty)


def _natural(key: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that orders numbers in names by value: 32 before 108, and the decimals 0_005 before 0_01."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() and not part.startswith('0') else 0, part)
        for part in re.split(r'(\d+)', key)
    ]
