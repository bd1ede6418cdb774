"""The machine as the kernels see it: vector widths, pointers, counters of threads, compilation and its cache."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils, config
from numba.extending import intrinsic

__all__ = (
    'FEATURE_LANES',
    'FINGERPRINT',
    'LANES',
    'PAIR_LANES',
    'TILE',
    'claim',
    'compiled',
    'flush_denormals',
    'pointer_type',
    'pointers',
    'read_counter',
    'restore_denormals',
    'yield_core',
)

Parameters = ParamSpec('Parameters')
Result = TypeVar('Result')

# NUMBA_CPU_NAME and NUMBA_CPU_FEATURES can select another processor than that of this machine.
_HAS_AVX512 = (
    '+avx512f' in (config.CPU_FEATURES or '')
    if config.CPU_NAME
    else bool(binding.get_host_cpu_features().get('avx512f', False))
)

# LANES: atoms in one vector of the networks, a register of float32. TILE: outputs of a layer computed together, in as
# many registers as leave room for an input.
LANES = 16 if _HAS_AVX512 else 8
TILE = 16 if _HAS_AVX512 else 8
# Neighbours in one vector.
PAIR_LANES = 16 if _HAS_AVX512 else 8
# Shifts or angles in one vector; also the number of registers for their sums.
FEATURE_LANES = 8

_IS_X86 = platform.machine().lower() in ('x86_64', 'amd64', 'i386', 'i686')
# Bits of the control register MXCSR: flush denormal results to zero, and treat denormal operands as zero.
_FLUSH = 0x8040


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return ``function``, which numba compiles on its first call and caches on disk; it releases the GIL.

    If neither the folder of the sources nor the user's cache is writable, it is compiled again in every process.
    """
    try:
        return cast(Callable[Parameters, Result], njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba found no writable folder for the cache
        return cast(Callable[Parameters, Result], njit(nogil=True)(function))


@intrinsic
def claim(typingctx: Any, counters: Any, slot: Any) -> Any:
    """Return ``counters[slot]`` (int64) and add one to it, as one atomic step."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(arguments[0], [arguments[1]])
        return builder.atomic_rmw('add', pointer, ir.Constant(ir.IntType(64), 1), 'acq_rel')

    return types.int64(counters, types.intp), codegen


@intrinsic
def read_counter(typingctx: Any, counters: Any, slot: Any) -> Any:
    """Return ``counters[slot]`` (int64); what other threads wrote before they changed it is then visible here."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(arguments[0], [arguments[1]])
        return builder.load_atomic(pointer, 'acquire', 8)

    return types.int64(counters, types.intp), codegen


@intrinsic
def yield_core(typingctx: Any) -> Any:
    """Let another thread run on this core."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), 'sched_yield')
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


def _control_register(builder: Any, name: str, pointer: Any) -> None:
    signature = ir.FunctionType(ir.VoidType(), [pointer.type])
    builder.call(cgutils.get_or_insert_function(builder.module, signature, f'llvm.x86.sse.{name}'), [pointer])


@intrinsic
def flush_denormals(typingctx: Any) -> Any:
    """Make this thread treat denormal numbers as zero, and return the state for ``restore_denormals``.

    They are negligible, but some machines are a hundred times slower with them.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _IS_X86:
            return ir.Constant(ir.IntType(32), 0)
        pointer = cgutils.alloca_once(builder, ir.IntType(32))
        raw = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        _control_register(builder, 'stmxcsr', raw)
        before = builder.load(pointer)
        builder.store(builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)), pointer)
        _control_register(builder, 'ldmxcsr', raw)
        return before

    return types.int32(), codegen


@intrinsic
def restore_denormals(typingctx: Any, before: Any) -> Any:
    """Undo ``flush_denormals``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _IS_X86:
            pointer = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(arguments[0], pointer)
            _control_register(builder, 'ldmxcsr', builder.bitcast(pointer, ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int32), codegen


def pointer_type(kind: Any) -> Any:
    """Return the type of a named tuple in which pointers replace the arrays of ``kind``."""
    if isinstance(kind, types.Array):
        return types.CPointer(kind.dtype)
    if isinstance(kind, types.BaseNamedTuple):
        fields = [pointer_type(field) for field in kind.types]
        same = all(field == fields[0] for field in fields)
        return (
            types.NamedUniTuple(fields[0], len(fields), kind.instance_class)
            if same
            else types.NamedTuple(fields, kind.instance_class)
        )
    return kind


def _value(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value).data
    if isinstance(kind, types.BaseNamedTuple):
        parts = cgutils.unpack_tuple(builder, value, len(kind.types))
        values = [_value(context, builder, field, part) for field, part in zip(kind.types, parts, strict=True)]
        return context.make_tuple(builder, pointer_type(kind), values)
    return value


@intrinsic
def pointers(typingctx: Any, values: Any) -> Any:
    """Return the named tuple ``values`` with each contiguous array replaced by a pointer to its first element."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _value(context, builder, values, arguments[0])

    return pointer_type(values)(values), codegen


def _fingerprint() -> int:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], 'little')


# Changes with any source file of the kernels. Cached functions enclose it, because numba checks only the file and the
# enclosed values of the outermost function, while the cached code contains functions of all files.
FINGERPRINT: int = _fingerprint()
