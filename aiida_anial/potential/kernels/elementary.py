"""Exponentials, logarithms and sines of vectors.

In float32 they are polynomials, computed in registers, with a relative error of a few 1e-7. In float64, which is for
comparison, they call the functions of the C library for one lane after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

from aiida_anial.potential.kernels.simd import Vector, call, constant, larger, llvm_type

__all__ = ('exp2', 'log2', 'sine_of_quarters')

_MANTISSA_BITS = 23
# Bits of sqrt(1/2). Mantissas range from there to sqrt(2), so the logarithm has no cancellation around 1.
_SQRT_HALF_BITS = int(np.float32(math.sqrt(0.5)).view(np.int32))
# Exponents of two are clamped here; smaller powers are negligible.
_MIN_EXPONENT = -100.0


def _polynomial(function: Callable[[Any], Any], degree: int, domain: tuple[float, float]) -> list[float]:
    """Return the coefficients, constant first, of the interpolating polynomial at Chebyshev points."""
    series = Chebyshev.interpolate(function, degree, domain=domain)
    return [float(c) for c in series.convert(kind=Polynomial).coef]


# 2^f for |f| <= 1/2, log2(1 + t) / t for these mantissas, and sin(pi y / 2) / y as a function of y^2. The relative
# error of the logarithm is 6e-7; in b^zeta, it becomes an error of at most 2e-7 of the largest value.
_EXP2 = _polynomial(np.exp2, 5, (-0.5, 0.5))
_LOG2 = _polynomial(lambda t: np.log2(1 + t) / t, 7, (math.sqrt(0.5) - 1, math.sqrt(2) - 1))
_SINE = _polynomial(lambda y2: np.sin(np.pi / 2 * np.sqrt(y2)) / np.sqrt(y2), 5, (0.0, 1.0))


def _horner(builder: Any, vector: Vector, coefficients: list[float], x: Any) -> Any:
    value = constant(vector, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = call(builder, 'fmuladd', vector, value, x, constant(vector, coefficient))
    return value


def _integers(vector: Vector, value: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [value] * vector.lanes)


def _exp2(builder: Any, vector: Vector, x: Any) -> Any:
    x = larger(builder, x, constant(vector, _MIN_EXPONENT))
    if vector.dtype == types.float64:
        return call(builder, 'exp2', vector, x)
    whole = call(builder, 'rint', vector, x)
    power = _horner(builder, vector, _EXP2, builder.fsub(x, whole))
    integers = ir.VectorType(ir.IntType(32), vector.lanes)
    exponent = builder.shl(builder.fptosi(whole, integers), _integers(vector, _MANTISSA_BITS))
    return builder.bitcast(builder.add(builder.bitcast(power, integers), exponent), llvm_type(vector))


def _log2(builder: Any, vector: Vector, x: Any) -> Any:
    if vector.dtype == types.float64:
        return call(builder, 'log2', vector, x)
    kind, integers = llvm_type(vector), ir.VectorType(ir.IntType(32), vector.lanes)
    bits = builder.bitcast(x, integers)
    shift = _integers(vector, _MANTISSA_BITS)
    exponent = builder.ashr(builder.sub(bits, _integers(vector, _SQRT_HALF_BITS)), shift)
    mantissa = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), kind)
    t = builder.fsub(mantissa, constant(vector, 1.0))
    slope = _horner(builder, vector, _LOG2, t)
    return call(builder, 'fmuladd', vector, slope, t, builder.sitofp(exponent, kind))


def _sine_of_quarters(builder: Any, vector: Vector, y: Any) -> Any:
    if vector.dtype == types.float64:
        return call(builder, 'sin', vector, builder.fmul(y, constant(vector, math.pi / 2)))
    return builder.fmul(_horner(builder, vector, _SINE, builder.fmul(y, y)), y)


def _function(emit: Callable[[Any, Vector, Any], Any], description: str) -> Any:
    """Return the intrinsic function of one vector whose code ``emit`` generates."""

    def typed(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(builder, x, arguments[0])

        return x(x), codegen

    typed.__doc__ = description
    return intrinsic(typed)


exp2 = _function(_exp2, 'Return 2^x, for x up to 127; 2^-100 for anything below -100.')
log2 = _function(_log2, 'Return the logarithm to base 2 of positive numbers.')
sine_of_quarters = _function(_sine_of_quarters, 'Return sin(pi y / 2) for 0 <= y <= 1.')
