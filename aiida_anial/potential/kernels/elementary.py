"""Exponentials, logarithms and sines of vectors.

They are polynomials, computed in registers: in float32 of the least degree for a relative error of a few 1e-7, in
float64 the first terms of Taylor series, with an error of a few 1e-16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

from aiida_anial.potential.kernels.simd import Vector, call, constant, larger, llvm_type

__all__ = ('exp2', 'log2', 'sine_of_quarters')

# Exponents of two are clamped here; smaller powers are negligible.
_MIN_EXPONENT = -100.0


def _polynomial(function: Callable[[Any], Any], degree: int, domain: tuple[float, float]) -> list[float]:
    """Return the coefficients, constant first, of the interpolating polynomial at Chebyshev points."""
    series = Chebyshev.interpolate(function, degree, domain=domain)
    return [float(c) for c in series.convert(kind=Polynomial).coef]


class _Format(NamedTuple):
    """A floating-point format, and the polynomials in it, with their coefficients from the constant on.

    :param mantissa_bits: bits of the mantissa that are stored.
    :param integer: the integer of its size.
    :param sqrt_half_bits: bits of sqrt(1/2). Mantissas range from there to sqrt(2), so logarithms do not cancel near 1.
    :param exp2: 2^f for abs(f) <= 1/2.
    :param log2: a function of the mantissa 1 + t, see ``_log2_of_mantissa``.
    :param sine: sin(pi y / 2) / y as a function of y^2, from 0 to 1.
    """

    mantissa_bits: int
    integer: Any
    sqrt_half_bits: int
    exp2: list[float]
    log2: list[float]
    sine: list[float]


_FORMATS = {
    types.float32: _Format(
        mantissa_bits=23,
        integer=ir.IntType(32),
        sqrt_half_bits=int(np.float32(math.sqrt(0.5)).view(np.int32)),
        exp2=_polynomial(np.exp2, 5, (-0.5, 0.5)),
        # log2(1 + t) / t, with a relative error of 6e-7; in b^zeta, at most 2e-7 of the largest value.
        log2=_polynomial(lambda t: np.log2(1 + t) / t, 7, (math.sqrt(0.5) - 1, math.sqrt(2) - 1)),
        sine=_polynomial(lambda y2: np.sin(np.pi / 2 * np.sqrt(y2)) / np.sqrt(y2), 5, (0.0, 1.0)),
    ),
    types.float64: _Format(
        mantissa_bits=52,
        integer=ir.IntType(64),
        sqrt_half_bits=int(np.float64(math.sqrt(0.5)).view(np.int64)),
        exp2=[math.log(2) ** k / math.factorial(k) for k in range(14)],
        # log2(1 + t) / s as a function of s^2, where s = t / (2 + t): the series of the inverse hyperbolic tangent.
        log2=[2 / math.log(2) / (2 * k + 1) for k in range(11)],
        sine=[(-1) ** k * (math.pi / 2) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(12)],
    ),
}


def _horner(builder: Any, vector: Vector, coefficients: list[float], x: Any) -> Any:
    value = constant(vector, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = call(builder, 'fmuladd', vector, value, x, constant(vector, coefficient))
    return value


def _exp2(builder: Any, vector: Vector, x: Any) -> Any:
    form = _FORMATS[vector.dtype]
    x = larger(builder, x, constant(vector, _MIN_EXPONENT))
    whole = call(builder, 'rint', vector, x)
    power = _horner(builder, vector, form.exp2, builder.fsub(x, whole))
    integers = ir.VectorType(form.integer, vector.lanes)
    # By way of 32 bits, because AVX2 converts to no others.
    exponent = builder.fptosi(whole, ir.VectorType(ir.IntType(32), vector.lanes))
    exponent = exponent if exponent.type == integers else builder.sext(exponent, integers)
    exponent = builder.shl(exponent, _integers(integers, form.mantissa_bits))
    return builder.bitcast(builder.add(builder.bitcast(power, integers), exponent), llvm_type(vector))


def _integers(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _log2(builder: Any, vector: Vector, x: Any) -> Any:
    form, kind = _FORMATS[vector.dtype], llvm_type(vector)
    integers = ir.VectorType(form.integer, vector.lanes)
    bits, shift = builder.bitcast(x, integers), _integers(integers, form.mantissa_bits)
    exponent = builder.ashr(builder.sub(bits, _integers(integers, form.sqrt_half_bits)), shift)
    mantissa = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), kind)
    narrow = ir.VectorType(ir.IntType(32), vector.lanes)
    exponent = exponent if exponent.type == narrow else builder.trunc(exponent, narrow)
    slope, t = _log2_of_mantissa(builder, vector, builder.fsub(mantissa, constant(vector, 1.0)))
    return call(builder, 'fmuladd', vector, slope, t, builder.sitofp(exponent, kind))


def _log2_of_mantissa(builder: Any, vector: Vector, t: Any) -> tuple[Any, Any]:
    """Return two factors of log2(1 + t)."""
    coefficients = _FORMATS[vector.dtype].log2
    if vector.dtype == types.float32:
        return _horner(builder, vector, coefficients, t), t
    s = builder.fdiv(t, builder.fadd(t, constant(vector, 2.0)))
    return _horner(builder, vector, coefficients, builder.fmul(s, s)), s


def _sine_of_quarters(builder: Any, vector: Vector, y: Any) -> Any:
    return builder.fmul(_horner(builder, vector, _FORMATS[vector.dtype].sine, builder.fmul(y, y)), y)


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
