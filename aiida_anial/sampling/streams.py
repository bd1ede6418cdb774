"""Random streams: every draw follows from a seed and an index, on every machine and with every version of NumPy.

NumPy promises that the raw numbers of ``PCG64`` and ``SeedSequence`` stay the same for ever, but not what
``Generator`` makes of them (NEP 19). So what must be reproducible to the last digit is made from raw numbers here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import PCG64, SeedSequence
from numpy.typing import NDArray

__all__ = ('Purpose', 'integers', 'stream', 'uniform')


class Purpose(IntEnum):
    """What a stream is for; streams of different purpose are independent under one seed and index."""

    CELL = 0
    SCHEDULE = 1
    DYNAMICS = 2


def stream(purpose: Purpose, *, seed: int, index: int) -> PCG64:
    """Return the random stream of item ``index`` under ``seed``.

    :raises ValueError: if ``seed`` or ``index`` is negative.
    """
    return PCG64(SeedSequence([seed, index], spawn_key=(int(purpose),)))


def integers(source: PCG64, *, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return uniform integers in ``0 ... bounds - 1``, one for each element of ``bounds``, drawn in C order.

    The upper 32 bits of a raw number times the bound, over 2^32: exact in 64 bits for bounds below 2^32, and no
    integer is likelier than another by more than bound / 2^32.
    """
    high = source.random_raw(bounds.size).reshape(bounds.shape) >> np.uint64(32)
    result: NDArray[np.int64] = ((high * bounds.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
    return result


def uniform(source: PCG64, *, low: float, high: float) -> float:
    """Return a uniform number from ``low`` to ``high``, made of the upper 53 bits of one raw number."""
    return low + (int(source.random_raw()) >> 11) * 2.0**-53 * (high - low)
