"""Arrays as bare pointers.

A compiled function counts references to every array that it is given, and tuples of arrays are given to thousands of
short functions. Pointers are not counted; who calls holds the arrays.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ('pointers',)


def _type(kind: Any) -> Any:
    """Return the type of the same thing with pointers for arrays."""
    if isinstance(kind, types.Array):
        return types.CPointer(kind.dtype)
    if isinstance(kind, types.BaseNamedTuple):
        fields = [_type(field) for field in kind.types]
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
        return context.make_tuple(builder, _type(kind), values)
    return value


@intrinsic
def pointers(typingctx: Any, values: Any) -> Any:
    """Return the named tuple ``values`` with, in place of each contiguous array, a pointer to its first element."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _value(context, builder, values, arguments[0])

    return _type(values)(values), codegen
