"""What the times and samples of a load run say: slots, growth, children alive at once."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ('Growth', 'Lives', 'growth', 'idle_times', 'most_alive', 'thinned')

# What a worker loads and keeps with its first labels is no growth.
_WARM_UP: float = 0.25
_LEAST_SAMPLES: int = 8

# Start and end of each child, in seconds since a common moment.
Lives = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Growth:
    """A line through samples of the memory.

    :param mib_per_1000: slope, in MiB for a thousand labels.
    :param error: its standard error, as if the samples had nothing to do with one another.
    :param labels: how many labels the samples span.
    """

    mib_per_1000: float
    error: float
    labels: float


def most_alive(lives: Lives) -> int:
    """Return how many children were alive at once at most; one that ends as another begins is gone."""
    events = sorted([(start, 1) for start, _ in lives] + [(end, -1) for _, end in lives])
    alive = most = 0
    for _, change in events:
        alive += change
        most = max(most, alive)
    return most


def idle_times(lives: Lives) -> list[float]:
    """Return how long a slot stood empty before each child that took over one, in seconds.

    A child takes the slot that has been empty for longest. Those that came before any had ended opened theirs, and
    what is empty when the last child has begun waits for nothing.
    """
    free: list[float] = []
    ends: list[float] = []
    idle = []
    for start, end in sorted(lives):
        while ends and ends[0] <= start:
            heapq.heappush(free, heapq.heappop(ends))
        if free:
            idle.append(start - heapq.heappop(free))
        heapq.heappush(ends, end)
    return idle


def growth(samples: Sequence[tuple[float, float]]) -> Growth | None:
    """Return the growth after the warm-up, and nothing if there are too few samples to say.

    :param samples: number of labels done, and memory in MiB.
    """
    if not samples:
        return None
    first, last = samples[0][0], max(done for done, _ in samples)
    late = [(done, mib) for done, mib in samples if done >= first + _WARM_UP * (last - first)]
    spread = max((done for done, _ in late), default=0.0) - min((done for done, _ in late), default=0.0)
    if len(late) < _LEAST_SAMPLES or spread <= 0:
        return None
    labels, memory = [done for done, _ in late], [mib for _, mib in late]
    slope, intercept = statistics.linear_regression(labels, memory)
    squares = sum((mib - intercept - slope * done) ** 2 for done, mib in late)
    error = (squares / (len(late) - 2) / sum((done - statistics.fmean(labels)) ** 2 for done in labels)) ** 0.5
    return Growth(1000 * slope, 1000 * error, spread)


def thinned(samples: Sequence[Any], most: int = 60) -> list[Any]:
    """Return every so many of the samples, the last one included."""
    step = max(1, -(-len(samples) // most))
    return list(samples[::-step][::-1])
