"""Random streams: every draw is determined by a seed and an index, on every machine and with every version of NumPy.

NumPy guarantees that the raw numbers of ``PCG64`` and ``SeedSequence`` never change, but not the distributions of
``Generator`` (NEP 19). Numbers that must be bitwise reproducible are therefore made from raw numbers here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import PCG64, SeedSequence
from numpy.typing import NDArray

__all__ = ('Purpose', 'integers', 'stream', 'uniform')


class Purpose(IntEnum):
    """The purpose of a stream; streams of different purposes are independent for the same seed and index."""

    CELL = 0
    SCHEDULE = 1
    DYNAMICS = 2
    SELECTION = 3
    FRAMES = 4


def stream(purpose: Purpose, *, seed: int, index: int) -> PCG64:
    """Return the random stream of item ``index`` of ``seed``.

    :raises ValueError: if ``seed`` or ``index`` is negative.
    """
    return PCG64(SeedSequence([seed, index], spawn_key=(int(purpose),)))


def integers(source: PCG64, *, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return uniform integers in ``0 ... bounds - 1``, one for each element of ``bounds``, drawn in C order.

    They are the upper 32 bits of a raw number, times the bound, over 2^32. This is exact in 64 bits for bounds below
    2^32, and the probabilities of integers differ by less than bound / 2^32.
    """
    high = source.random_raw(bounds.size).reshape(bounds.shape) >> np.uint64(32)
    result: NDArray[np.int64] = ((high * bounds.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
    return result


def uniform(source: PCG64, *, low: float, high: float) -> float:
    """Return a uniform number from ``low`` to ``high``, made of the upper 53 bits of one raw number."""
    return low + (int(source.random_raw()) >> 11) * 2.0**-53 * (high - low)
