"""A benchmark as a table: quantities beside references, and the deviations of curves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.properties.comparison.references import Reference, references
from aiida_anial.properties.comparison.subject import Subject, property_names
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Property
from aiida_anial.properties.quantity import PropertyResult, Quantity
from aiida_anial.properties.registry import PROPERTIES

__all__ = ('Row', 'comparison_table', 'curve_rmse', 'deviations')

Array = NDArray[np.float64]

_ERROR = '_error'

_SAME = 1e-6
_MIN_POINTS = 4


def deviations(subject: Subject, reference: Subject) -> dict[str, dict[str, Quantity]]:
    """Return how far ``subject`` is from ``reference``, as quantities by property.

    They are root mean squares over the points of the reference (see ``curve_rmse``), for the curves that a property
    wants to be compared, and differences, for the quantities that it describes an ``_error`` of. What one of the two
    does not have is left out.
    """
    found = {}
    for name, one in PROPERTIES.items():
        if quantities := dict(_deviations(one, subject.result(name), reference.result(name))):
            found[name] = quantities
    return found


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
    from scipy.interpolate import CubicSpline

    return _root_mean_square(CubicSpline(x, y)(at[common]) - expected[common])


def _root_mean_square(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _deviations(
    one: type[Property[Any]], own: PropertyResult, reference: PropertyResult
) -> Iterator[tuple[str, Quantity]]:
    """Give the deviations of one property."""
    for panel in one.panels:
        if not isinstance(panel, Curve) or not panel.rmse or not (panel.is_in(own) and panel.is_in(reference)):
            continue
        rmse = curve_rmse(
            (own.curves[panel.x], own.curves[panel.y]), (reference.curves[panel.x], reference.curves[panel.y])
        )
        column = one.column(panel.rmse)
        if rmse is not None and column is not None:
            yield panel.rmse, Quantity(panel.scale * rmse, column.unit)
    for key, expected in reference.quantities.items():
        error = one.column(key + _ERROR)
        if error is not None and error.quantity.endswith(_ERROR) and key in own.quantities:
            yield key + _ERROR, _difference(own.quantities[key], expected)


def _difference(own: Quantity, expected: Quantity) -> Quantity:
    """Return the difference, with the uncertainties of both, which are independent."""
    known = [one.uncertainty for one in (own, expected) if one.uncertainty is not None]
    return Quantity(own.value - expected.value, own.unit, hypot(*known) if known else None)


def _sorted(x: Array, y: Array) -> tuple[Array, Array]:
    order = np.argsort(x, kind='stable')
    return x[order], y[order]


_Found = dict[str, dict[str, Quantity]]


@dataclass(frozen=True)
class Row:
    """One quantity of one property.

    :param property_name: such as ``elastic``.
    :param quantity: such as ``c11``.
    :param unit: of all numbers of the row.
    :param values: by subject; those that do not have the quantity are left out.
    :param references: from the literature, in the order of its file.
    """

    property_name: str
    quantity: str
    unit: str
    values: Mapping[str, Quantity]
    references: tuple[Reference, ...]


def comparison_table(subjects: Sequence[Subject], *, reference: Subject | None = None) -> list[Row]:
    """Return a row for every quantity that any of the subjects has: properties in the order of the benchmark.

    :param subjects: with names that differ.
    :param reference: the subject that the curves of the others are compared with; without it there are no rows of
        deviations.
    :raises AnialError: if two subjects have one name, or a quantity has two units.
    """
    names = [subject.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise AnialError(f'{name}: two potentials that are compared have this name.')
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

    :param quantities: of the property, by subject.
    """
    values = {subject: of_subject[key] for subject, of_subject in quantities.items() if key in of_subject}
    known = references(name, key)
    units = {one.unit for one in values.values()} | {one.value.unit for one in known}
    if len(units) > 1:
        raise AnialError(f'{name}.{key}: the units {" and ".join(sorted(units))} cannot be compared.')
    return Row(name, key, units.pop(), values, known)


def _natural(key: str) -> list[tuple[bool, int, str]]:
    """Return what sorts names as a reader would: 32 before 108, and 0_005 before 0_01, which are decimals."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() and not part.startswith('0') else 0, part)
        for part in re.split(r'(\d+)', key)
    ]
