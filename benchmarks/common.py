"""Shared parts of the measurements: options, timing and output.

A measurement runs blocks of work. A block returns its amount of work and its duration, so that set-up and clean-up do
not count. The blocks of all competitors take turns in one process, so that other load on the machine affects all of
them. A ratio is the median of the ratios of the turns.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.table import Table

from aiida_anial.potential.settings import EngineSettings

_MALLOC: Final = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'LD_PRELOAD')
_LEAST_TURNS: Final = 2

Key = TypeVar('Key', bound=Hashable)
# Does some work and returns its amount, in a unit that the measurement defines, and its duration in seconds.
Block = Callable[[], tuple[float, float]]


@dataclass(frozen=True)
class Options:
    """Options of all measurements of the engine.

    :param short: whether to measure less, so that all measurements together take minutes.
    :param engine: name of the engine as in ``EngineSettings``; ``auto`` is the default engine of the device.
    :param threads: number of threads of the engine, and of torch for the competitors.
    """

    short: bool = False
    engine: str = 'auto'
    threads: int = 2

    def settings(self) -> EngineSettings:
        """Return the settings of the engine."""
        return EngineSettings.parse({'engine': self.engine, 'threads': self.threads})


@dataclass
class Result:
    """Results of a measurement.

    :param rows: rows of the table, each with its own columns; numbers are not rounded.
    :param figures: named values, for other programs to read.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """Rates of one competitor.

    :param rates: units of work per second, one value for each turn.
    """

    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Median of the rates."""
        return statistics.median(self.rates)

    def row(self, unit: str) -> dict[str, Any]:
        """Return the columns of a table: median, lowest and highest rate, and number of turns.

        :param unit: name of the column of the median.
        """
        ends = {f'{unit}_min': min(self.rates), f'{unit}_max': max(self.rates)}
        return {unit: self.rate, **ends, 'turns': len(self.rates)}


def ratio(first: Measured, second: Measured) -> float:
    """Return how many times faster ``first`` is: the median over the turns that both took.

    A competitor that drops out does not return, so these are the first turns.
    """
    return statistics.median(one / other for one, other in zip(first.rates, second.rates, strict=False))


def interleave(blocks: Mapping[Key, Block], *, turns: int, limit_s: float = math.inf) -> dict[Key, Measured]:
    """Run every block ``turns`` times, alternately, and return the rates.

    Each turn starts with another block.

    :param blocks: blocks of the competitors, already warmed up.
    :param turns: number of turns.
    :param limit_s: total time in seconds after which a block drops out, but not before it has had two turns.
    """
    names = list(blocks)
    rates: dict[Key, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    # The garbage collections below need not examine the objects that exist already.
    gc.collect()
    gc.freeze()
    for turn in range(turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if spent[name] > limit_s and turn >= _LEAST_TURNS:
                continue
            # Otherwise, the garbage of one competitor may be collected in the time of the next.
            gc.collect()
            amount, duration = blocks[name]()
            rates[name].append(amount / duration)
            spent[name] += duration
    gc.unfreeze()
    return {name: Measured(tuple(values)) for name, values in rates.items()}


def calibrated(
    run: Callable[[int], tuple[float, float]], *, budget_s: float, least: int = 1, multiple: int = 1
) -> Block:
    """Return a warmed-up block of as many steps as fit into ``budget_s``.

    :param run: function that runs a given number of steps, and returns amount and seconds.
    :param budget_s: intended duration of the block in seconds.
    :param least: number of steps of the first run, which includes compilation and the filling of caches; also the
        smallest number of steps of the block.
    :param multiple: divisor of the number of steps, which is rounded down unless it is smaller than the divisor.
    """
    _, duration = run(least)
    if duration < budget_s:
        _, duration = run(least)
    steps = max(least, int(least * budget_s / duration))
    steps = steps // multiple * multiple if steps > multiple else steps
    return lambda: run(steps)


def seconds(function: Callable[[], object]) -> float:
    """Return the duration of one call in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def progress(line: str) -> None:
    """Write a line on the progress to the standard error."""
    print(f'  {line}', file=sys.stderr, flush=True)


def now() -> str:
    """Return date and time (UTC) in ISO 8601 format."""
    return datetime.now(UTC).isoformat(timespec='seconds')


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Return the hardware, settings and versions that the results depend on.

    :param packages: names of the packages whose versions matter.
    """
    versions = {'python': platform.python_version(), **{name: version(name) for name in packages}}
    return {
        'cpu': _cpu(),
        'cores': len(os.sched_getaffinity(0)),
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
        'malloc': {name: os.environ[name] for name in _MALLOC if name in os.environ},
        'versions': versions,
        # More than the number of threads of the measurement means that other programs were running.
        'load_average_at_start': round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    """Return the model of the processor and its widest vector instructions."""
    text = Path('/proc/cpuinfo').read_text() if Path('/proc/cpuinfo').exists() else ''
    fields: dict[str, str] = {}
    for line in reversed(text.splitlines()):
        name, _, value = line.partition(':')
        fields[name.strip()] = value.strip()
    flags = fields.get('flags', '').split()
    widest = next((name for name in ('avx512f', 'avx2', 'avx') if name in flags), '')
    family = '.'.join(fields[key] for key in ('cpu family', 'model') if key in fields)
    return ' '.join(part for part in (fields.get('model name', platform.processor()), family, widest) if part)


def unwind_when_killed() -> None:
    """Let SIGTERM raise ``KeyboardInterrupt`` as Ctrl-C does, so that the servers are stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file with floats of five significant digits; no measurement is more accurate."""
    path.write_text(json.dumps(_rounded(values), indent=2, allow_nan=False) + '\n')


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f'{value:.5g}')
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=title, title_justify='left')
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name, justify='right' if numeric else 'left')
    for row in rows:
        table.add_row(*(text(row.get(name)) for name in columns))
    console.print(table)


def text(value: object) -> str:
    """Return a float with three significant digits, or rounded to an integer from 1,000 on; an empty text for None."""
    if value is None:
        return ''
    if isinstance(value, float):
        return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'
    return f'{value:,}' if isinstance(value, int) and not isinstance(value, bool) else str(value)
