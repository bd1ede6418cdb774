"""Exponentials, logarithms and sines of the kernels, against NumPy in extended precision."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import njit

from aiida_anial.potential.kernels.elementary import exp2, log2, sine_of_quarters
from aiida_anial.potential.kernels.machine import pointers
from aiida_anial.potential.kernels.simd import load, store

LANES = 8


class Arrays(NamedTuple):
    x: Any
    y: Any


def applied(function: Any, x: np.ndarray) -> np.ndarray:
    @njit
    def run(arrays, n):
        arrays = pointers(arrays)
        for at in range(0, n, LANES):
            store(function(load(arrays.x, at, LANES)), arrays.y, at)

    y = np.zeros_like(x)
    run(Arrays(x, y), len(x))
    return y


@pytest.mark.parametrize(('dtype', 'tolerance'), [(np.float32, 4e-7), (np.float64, 5e-16)])
@pytest.mark.parametrize(
    ('function', 'expected', 'lowest', 'highest'),
    [
        (exp2, np.exp2, -99.0, 127.0),
        (exp2, np.exp2, -1.0, 1.0),
        (log2, np.log2, 1e-30, 1.0),
        (log2, np.log2, 0.99, 1.01),
        (log2, np.log2, 1.0, 1e30),
        (sine_of_quarters, lambda y: np.sin(y * (np.arctan(np.longdouble(1)) * 2)), 0.0, 1.0),
    ],
)
def test_they_are_accurate_to_the_last_digits(function, expected, lowest, highest, dtype, tolerance):
    x = np.random.default_rng(1).uniform(lowest, highest, 100 * LANES).astype(dtype)
    exact = expected(x.astype(np.longdouble))
    np.testing.assert_allclose(applied(function, x).astype(np.longdouble), exact, rtol=tolerance)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_large_negative_exponent_is_clamped(dtype):
    x = np.full(LANES, -1e30, dtype)
    np.testing.assert_allclose(applied(exp2, x), 2.0**-100, rtol=4e-7)
