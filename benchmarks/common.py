"""What the scripts on the speed of the engine share: their options, how they take time, print and write.

A script measures blocks of work. A block says how much it did and how long that took, so that what a competitor does
before and after does not count. Blocks of all competitors take turns in one process: whatever else the machine does at
the time hits all of them, and a ratio is the median of the ratios of the turns.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from rich.console import Console
from rich.table import Table

from aiida_anial.potential.engine import Engine
from aiida_anial.potential.settings import EngineSettings

__all__ = (
    'Block',
    'Measured',
    'Options',
    'Result',
    'calibrated',
    'engines',
    'interleave',
    'machine',
    'progress',
    'quiet',
    'ratio',
    'run_child',
    'run_script',
    'seconds',
)

_PACKAGES: Final = ('numpy', 'torch', 'torchani', 'numba', 'vesin', 'ase', 'matscipy')
_MALLOC: Final = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'LD_PRELOAD')

_LEAST_TURNS: Final = 2

Key = TypeVar('Key', bound=Hashable)
# Runs some work and returns how much it was (in units that the script names) and its seconds.
Block = Callable[[], tuple[float, float]]


@dataclass(frozen=True)
class Options:
    """What all scripts can be told.

    :param short: measure less, so that all scripts together take five minutes.
    :param engines: names of engines as ``EngineSettings`` has them, ``default`` for the one it chooses itself; figures
        with a name are those of the first.
    :param threads: of the engine, and of torch for the competitors.
    """

    short: bool = False
    engines: tuple[str, ...] = ('default',)
    threads: int = 2

    def settings(self, name: str, *, threads: int | None = None) -> EngineSettings:
        """Return the settings of the engine called ``name``."""
        chosen = {} if name == 'default' else {'engine': name}
        return EngineSettings.parse({**chosen, 'threads': threads or self.threads})


@dataclass
class Result:
    """What a script found.

    :param question: what it asked, in a sentence.
    :param rows: the table, every row with its own columns; numbers are not rounded.
    :param figures: numbers with a name, for other programs to read.
    :param notes: what one must know to read the table.
    """

    question: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """The turns of one competitor.

    :param rates: units per second, one for each turn.
    """

    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)

    def row(self, unit: str) -> dict[str, Any]:
        """Return the columns of a table: median, slowest and quickest turn, and their number."""
        ends = {f'{unit}_min': min(self.rates), f'{unit}_max': max(self.rates)}
        return {unit: self.rate, **ends, 'turns': len(self.rates)}


def ratio(first: Measured, second: Measured) -> float:
    """Return how many times faster ``first`` is: the median over the turns that both took, which are the first ones."""
    return statistics.median(one / other for one, other in zip(first.rates, second.rates, strict=False))


def interleave(blocks: Mapping[Key, Block], *, turns: int, limit_s: float = math.inf) -> dict[Key, Measured]:
    """Run every block ``turns`` times, in turn, another one first each time; all of them have been warmed up.

    :param limit_s: a block that has taken so long in all sits out, after two turns at the earliest.
    """
    names = list(blocks)
    rates: dict[Key, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    # What is there already need not be looked at in every collection.
    gc.collect()
    gc.freeze()
    for turn in range(turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if spent[name] > limit_s and turn >= _LEAST_TURNS:
                continue
            # What one competitor left behind is not collected in the time of the next.
            gc.collect()
            amount, duration = blocks[name]()
            rates[name].append(amount / duration)
            spent[name] += duration
    gc.unfreeze()
    return {name: Measured(tuple(values)) for name, values in rates.items()}


def calibrated(
    run: Callable[[int], tuple[float, float]], *, budget_s: float, least: int = 1, multiple: int = 1
) -> Block:
    """Return a block of as many steps as fit into ``budget_s``, warmed up.

    :param run: does a number of steps.
    :param least: number of steps of the first run, which pays for compilation and caches, and of the shortest block.
    :param multiple: the number of steps is a multiple of it, unless it is below.
    """
    _, duration = run(least)
    if duration < budget_s:
        _, duration = run(least)
    steps = max(least, int(least * budget_s / duration))
    steps = steps // multiple * multiple if steps > multiple else steps
    return lambda: run(steps)


def progress(line: str) -> None:
    """Say on the standard error what is being measured."""
    print(f'  {line}', file=sys.stderr, flush=True)


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def engines(
    options: Options, make: Callable[[EngineSettings], Engine], *, threads: int | None = None
) -> dict[str, Engine]:
    """Return the engines to be measured by the name of their class.

    :param make: gives the engine of an ensemble.
    """
    made = [make(options.settings(name, threads=threads)) for name in options.engines]
    return {type(engine).__name__: engine for engine in made}


def machine(options: Options) -> dict[str, Any]:
    """Return what the numbers depend on."""
    packages = {'python': platform.python_version()}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        'cpu': _cpu(),
        'cores': len(os.sched_getaffinity(0)),
        'threads': options.threads,
        'torch_threads': torch.get_num_threads(),
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
        'malloc': {name: os.environ[name] for name in _MALLOC if name in os.environ},
        'versions': packages,
        # More than the threads of this script means that somebody else was at work.
        'load_average_at_start': round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    """Return the model and its widest vector instructions."""
    text = Path('/proc/cpuinfo').read_text() if Path('/proc/cpuinfo').exists() else ''
    fields: dict[str, str] = {}
    for line in reversed(text.splitlines()):
        name, _, value = line.partition(':')
        fields[name.strip()] = value.strip()
    flags = fields.get('flags', '').split()
    widest = next((name for name in ('avx512f', 'avx2', 'avx') if name in flags), '')
    family = '.'.join(fields[key] for key in ('cpu family', 'model') if key in fields)
    return ' '.join(part for part in (fields.get('model name', platform.processor()), family, widest) if part)


def run_child(script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a script of this folder in a process of its own and return the JSON object in the last line it prints.

    :raises RuntimeError: if it fails.
    """
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{script} {" ".join(arguments)}: ended with status {done.returncode}.')
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what torchani says about CUDA when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def run_script(measure: Callable[[Options], Result], arguments: Sequence[str] | None = None) -> int:
    """Be the main function of a script: measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('--short', action='store_true', help='measure less')
    parser.add_argument('--json', type=Path, help='file to write')
    parser.add_argument('--engine', action='append', help='engine to measure; may be given several times')
    parser.add_argument('--threads', type=int, default=Options.threads, help='threads of engine and competitors')
    given = parser.parse_args(arguments)
    options = Options(given.short, tuple(given.engine or Options.engines), given.threads)
    torch.set_num_threads(options.threads)
    found = machine(options)
    start = time.perf_counter()
    with quiet():
        result = measure(options)
    took = time.perf_counter() - start
    show(result, took)
    if given.json is not None:
        write_json(given.json, content(result, options, machine=found, took=took))
    return 0


def content(result: Result, options: Options, *, machine: Mapping[str, Any], took: float) -> dict[str, Any]:
    """Return what the JSON file of a script holds."""
    return {
        **asdict(result),
        'short': options.short,
        'engines': list(options.engines),
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'took_s': took,
        'machine': dict(machine),
    }


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file, floats with the five digits that a measurement has at most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(values), indent=2, allow_nan=False) + '\n')


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f'{value:.5g}')
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


def show(result: Result, took: float) -> None:
    """Print a result."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    columns = list(dict.fromkeys(key for row in result.rows for key in row))
    table = Table(title=result.question, title_justify='left')
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in result.rows)
        table.add_column(name, justify='right' if numeric else 'left')
    for row in result.rows:
        table.add_row(*(text(row.get(name)) for name in columns))
    console.print(table)
    for note in result.notes:
        console.print(f'- {note}', markup=False, highlight=False)
    for name, value in result.figures.items():
        console.print(f'{name}: {text(value)}', markup=False)
    console.print(f'({took:.0f} s)\n', markup=False)


def text(value: object) -> str:
    """Return a number in three digits or whole thousands, and nothing for None."""
    if value is None:
        return ''
    if isinstance(value, float):
        return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'
    return f'{value:,}' if isinstance(value, int) and not isinstance(value, bool) else str(value)
