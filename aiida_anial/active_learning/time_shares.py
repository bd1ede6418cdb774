"""Where the time of a campaign went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ('ENGINE', 'IDLE', 'Calculation', 'TimeShares', 'time_shares')

ENGINE: Final = 'engine'
IDLE: Final = 'idle'


@dataclass(frozen=True)
class Calculation:
    """A calculation of a campaign; all times in seconds from a common origin.

    :param kind: what it does, such as ``labels``.
    :param begun: when its process was created.
    :param started: when its program started.
    :param stopped: when its program ended.
    :param ended: when its process ended.
    :param is_over: whether it has; else the times that are to come are those of the moment.
    :param n_cells: cells that it labels.
    :param n_cores: cores that its program keeps busy.
    """

    kind: str
    begun: float
    started: float
    stopped: float
    ended: float
    is_over: bool = True
    n_cells: int = 1
    n_cores: int = 1


@dataclass(frozen=True)
class TimeShares:
    """Fractions of a time; those of ``by_kind`` add up to 1, and so do the other three.

    :param by_kind: while programs run, their kinds, each with its share of the busy cores; ``engine`` while none runs,
        but calculations are uploaded, queued, retrieved or parsed; ``idle`` while there is no calculation.
    :param two_or_more: programs keep at least two cores busy.
    :param one: they keep one core busy.
    :param none: no program runs.
    """

    by_kind: dict[str, float]
    two_or_more: float
    one: float
    none: float


def time_shares(calculations: Iterable[Calculation], begin: float, end: float) -> TimeShares:
    """Return how the time from ``begin`` to ``end`` was used.

    :raises ValueError: if that time is empty.
    """
    if end <= begin:
        raise ValueError(f'no time between {begin:g} and {end:g} s')
    changes: dict[float, list[tuple[str, int]]] = defaultdict(list)
    for one in calculations:
        engine, program = (ENGINE, one.begun, one.ended, 1), (one.kind, one.started, one.stopped, one.n_cores)
        for kind, first, last, number in (engine, program):
            if first < end and last > begin and first < last:
                changes[max(first, begin)].append((kind, number))
                changes[min(last, end)].append((kind, -number))
    alive: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    running = [0.0, 0.0, 0.0]
    previous = begin
    for moment in sorted({*changes, end}):
        _count(moment - previous, alive, seconds, running)
        for kind, change in changes.get(moment, ()):
            alive[kind] += change
        previous = moment
    total = end - begin
    shares = {kind: value / total for kind, value in seconds.items() if value}
    return TimeShares(shares, running[2] / total, running[1] / total, running[0] / total)


def _count(duration: float, alive: Counter[str], seconds: defaultdict[str, float], running: list[float]) -> None:
    """Add a time in which nothing changes."""
    programs = {kind: number for kind, number in alive.items() if number and kind != ENGINE}
    n_cores = sum(programs.values())
    running[min(n_cores, 2)] += duration
    for kind, number in programs.items():
        seconds[kind] += duration * number / n_cores
    if not programs:
        seconds[ENGINE if alive[ENGINE] else IDLE] += duration
