"""Vectors in registers as values in compiled functions.

Numba relies on LLVM to vectorise loops, which rarely succeeds in code as long as these kernels. Here vectors are
explicit: ``load`` takes adjacent elements of an array as lanes, ``+ - * /`` and ``fma`` act on all lanes, and ``store``
puts them back. LLVM splits vectors wider than the registers, so any number of lanes works on any machine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

__all__ = ('Vector', 'fma', 'halves', 'load', 'maximum', 'splat', 'spread', 'sqrt', 'store', 'total', 'twice')


class Vector(types.Type):
    """Numba's type of a vector.

    :param dtype: numba's type of a lane, float32 or float64.
    :param lanes: number of lanes.
    """

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f'Vector({dtype}, {lanes})')


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    """Represents a vector as a value of LLVM's vector type, which stays in registers."""

    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, llvm_type(fe_type))


def llvm_type(vector: Vector) -> ir.VectorType:
    """Return the LLVM type of a vector."""
    return ir.VectorType(ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType(), vector.lanes)


def constant(vector: Vector, value: float) -> ir.Constant:
    """Return the vector whose lanes are all ``value``."""
    return ir.Constant(llvm_type(vector), [float(value)] * vector.lanes)


def call(builder: Any, name: str, vector: Vector, *arguments: Any) -> Any:
    """Return the result of LLVM's intrinsic function ``llvm.<name>`` of vectors."""
    kind = llvm_type(vector)
    suffix = f'v{vector.lanes}f{32 if vector.dtype == types.float32 else 64}'
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, signature, f'llvm.{name}.{suffix}')
    return builder.call(function, arguments)


def address(builder: Any, pointer: Any, index: Any, pointee: Any) -> Any:
    """Return ``pointer + index``, cast to a pointer to ``pointee``."""
    return builder.bitcast(builder.gep(pointer, [index]), pointee.as_pointer())


def load_vector(builder: Any, pointer: Any, vector: Vector) -> Any:
    """Return the vector at ``pointer``, which is aligned to a lane only."""
    value = builder.load(pointer)
    value.align = 4 if vector.dtype == types.float32 else 8
    return value


def store_vector(builder: Any, value: Any, pointer: Any, vector: Vector) -> None:
    """Write a vector to ``pointer``, which is aligned to a lane only."""
    builder.store(value, pointer).align = 4 if vector.dtype == types.float32 else 8


def broadcast(builder: Any, scalar: Any, vector: Vector) -> Any:
    """Return the vector whose lanes are all the value ``scalar``."""
    kind = llvm_type(vector)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    return _shuffled(builder, first, [0] * vector.lanes)


def _shuffled(builder: Any, value: Any, lanes: list[int]) -> Any:
    """Return the given lanes of ``value``, in that order."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)


def larger(builder: Any, a: Any, b: Any) -> Any:
    """Return the lane-by-lane maximum, ``a`` where either is NaN: one instruction on x86."""
    return builder.select(builder.fcmp_unordered('>', a, b), a, b)


@intrinsic(prefer_literal=True)
def load(typingctx: Any, pointer: Any, index: Any, lanes: Any) -> Any:
    """Return ``lanes`` (a constant) elements of the array at ``pointer``, from ``index`` on."""
    vector = Vector(pointer.dtype, lanes.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = address(builder, arguments[0], arguments[1], llvm_type(vector))
        return load_vector(builder, place, vector)

    return vector(pointer, types.intp, lanes), codegen


@intrinsic
def store(typingctx: Any, vector: Any, pointer: Any, index: Any) -> Any:
    """Write the lanes of ``vector`` to the array at ``pointer``, from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        store_vector(builder, arguments[0], address(builder, arguments[1], arguments[2], llvm_type(vector)), vector)
        return context.get_dummy_value()

    return types.void(vector, pointer, types.intp), codegen


@intrinsic(prefer_literal=True)
def splat(typingctx: Any, scalar: Any, lanes: Any) -> Any:
    """Return a vector of ``lanes`` (a constant) lanes that are all ``scalar``."""
    vector = Vector(scalar, lanes.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast(builder, arguments[0], vector)

    return vector(scalar, lanes), codegen


@intrinsic(prefer_literal=True)
def spread(typingctx: Any, pointer: Any, index: Any, lanes: Any) -> Any:
    """Return a vector of two elements of the array, from ``index`` on, each repeated ``lanes`` (a constant) times."""
    pair, vector = Vector(pointer.dtype, 2), Vector(pointer.dtype, 2 * lanes.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = address(builder, arguments[0], arguments[1], llvm_type(pair))
        each = [0] * lanes.literal_value + [1] * lanes.literal_value
        return _shuffled(builder, load_vector(builder, place, pair), each)

    return vector(pointer, types.intp, lanes), codegen


@intrinsic
def twice(typingctx: Any, vector: Any) -> Any:
    """Return the lanes of ``vector`` twice, one copy after the other."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], [*range(vector.lanes)] * 2)

    return Vector(vector.dtype, 2 * vector.lanes)(vector), codegen


@intrinsic
def halves(typingctx: Any, vector: Any) -> Any:
    """Return the first and the second half of ``vector`` as two vectors."""
    half = Vector(vector.dtype, vector.lanes // 2)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = _shuffled(builder, arguments[0], [*range(half.lanes)])
        second = _shuffled(builder, arguments[0], [*range(half.lanes, vector.lanes)])
        return context.make_tuple(builder, signature.return_type, [first, second])

    return types.UniTuple(half, 2)(vector), codegen


@intrinsic
def _as_vector(typingctx: Any, scalar: Any, like: Any) -> Any:
    """Return a vector of the type of ``like`` whose lanes are all ``scalar``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast(builder, arguments[0], like)

    return like(like.dtype, like), codegen


def _elementwise(emit: Callable[[Any, Vector, Any], Any], n_arguments: int) -> Any:
    """Return the intrinsic function of ``n_arguments`` vectors of one type whose code ``emit`` generates."""

    def typed(vector: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(builder, vector, arguments)

        return vector(*[vector] * n_arguments), codegen

    if n_arguments == 1:
        return intrinsic(lambda typingctx, a: typed(a))
    if n_arguments == 2:
        return intrinsic(lambda typingctx, a, b: typed(a))
    return intrinsic(lambda typingctx, a, b, c: typed(a))


fma = _elementwise(lambda builder, v, args: call(builder, 'fmuladd', v, *args), 3)
sqrt = _elementwise(lambda builder, v, args: call(builder, 'sqrt', v, *args), 1)
maximum = _elementwise(lambda builder, v, args: larger(builder, *args), 2)


@intrinsic
def total(typingctx: Any, vector: Any) -> Any:
    """Return the sum of the lanes, by adding the upper half to the lower one repeatedly."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,), width = arguments, vector.lanes
        while width > 1:
            width //= 2
            high = _shuffled(builder, value, [*range(width, 2 * width)])
            value = builder.fadd(_shuffled(builder, value, [*range(width)]), high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.dtype(vector), codegen


def _overload_arithmetic(function: Callable[[Any, Any], Any], name: str) -> None:
    """Define ``function`` of two vectors, or of a vector and a number, as LLVM's instruction ``name``."""
    instruction = _elementwise(lambda builder, v, args: getattr(builder, name)(*args), 2)

    @overload(function, strict=False)
    def implement(a: Any, b: Any) -> Any:
        if isinstance(a, Vector) and isinstance(b, Vector):
            return lambda a, b: instruction(a, b)  # noqa: PLW0108 - numba compiles it
        if isinstance(a, Vector) and isinstance(b, types.Number):
            return lambda a, b: instruction(a, _as_vector(b, a))
        if isinstance(a, types.Number) and isinstance(b, Vector):
            return lambda a, b: instruction(_as_vector(a, b), b)
        return None


for _function, _name in (
    (operator.add, 'fadd'),
    (operator.sub, 'fsub'),
    (operator.mul, 'fmul'),
    (operator.truediv, 'fdiv'),
):
    _overload_arithmetic(_function, _name)
