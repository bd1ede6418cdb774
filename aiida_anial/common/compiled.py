"""Functions that numba compiles when they are first called, and keeps on disk for the next time."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

__all__ = ('compiled',)

Parameters = ParamSpec('Parameters')
Result = TypeVar('Result')


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return ``function``, compiled; it lets other threads of Python run.

    Where nothing can be written, neither beside the sources nor in the user's cache, it is compiled in every process.
    """
    try:
        return cast(Callable[Parameters, Result], njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba's for a function that has no place on disk
        return cast(Callable[Parameters, Result], njit(nogil=True)(function))
