"""Measure whether many trajectories run faster in one process with a thread per core, or in one process per core.

Sixteen cells are sampled by one process with all threads, and by as many processes with one thread each, among which
the cells are divided. The two take turns.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.pool import Pool
from typing import Any, Final

import common
import md
import systems
import torch

from aiida_anial.potential.engine import Engine, make_engine

N_CELLS: Final = 16

_engines: list[Engine] = []


def prepare(threads: int, engine: str) -> None:
    """Create the engine of this process."""
    torch.set_num_threads(threads)
    _engines[:] = [make_engine(systems.random_ensemble(), common.Options(False, engine, threads).settings())]


def sample_share(share: range, n_cells: int, steps: int) -> float:
    """Sample some of the cells in this process, and return the number of atom-steps.

    :param share: indices of these cells.
    :param n_cells: number of all cells.
    """
    cells = systems.mixed_cells(n_cells).select(list(share))
    return md.sampling(_engines[0], cells, steps=steps)[0]


def together(pool: Pool, n_processes: int, n_cells: int) -> Callable[[int], tuple[float, float]]:
    """Return a function that lets all processes run steps, and measures the time until the last one has finished."""
    shares = [range(number, n_cells, n_processes) for number in range(n_processes)]

    def run(steps: int) -> tuple[float, float]:
        start = time.perf_counter()
        amounts = pool.starmap(sample_share, [(share, n_cells, steps) for share in shares], chunksize=1)
        return sum(amounts), time.perf_counter() - start

    return run


def compare(options: common.Options, *, n_cells: int, budget_s: float, turns: int) -> common.Result:
    """Return rows and figures."""
    teams = {'threads': (1, options.threads), 'processes': (options.threads, 1)}
    every = md.DYNAMICS.check_interval
    context = multiprocessing.get_context('spawn')
    with ExitStack() as stack:
        blocks = {}
        for name, (n_processes, threads) in teams.items():
            pool = stack.enter_context(context.Pool(n_processes, prepare, (threads, options.engine)))
            run = together(pool, n_processes, n_cells)
            blocks[name] = common.calibrated(run, budget_s=budget_s, least=every, multiple=every)
        measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    rows: list[dict[str, Any]] = [
        {'processes': n_processes, 'threads_each': threads, **measured[name].row('atom_steps_per_s')}
        for name, (n_processes, threads) in teams.items()
    ]
    figures = {'processes_over_threads': common.ratio(measured['processes'], measured['threads'])}
    return common.Result(rows, figures)


def measure(options: common.Options) -> common.Result:
    """Measure sixteen cells."""
    budget_s, turns = (1.0, 4) if options.short else (4.0, 7)
    return compare(options, n_cells=N_CELLS, budget_s=budget_s, turns=turns)
