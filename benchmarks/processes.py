"""Whether many trajectories are better run by one process with a thread for each core, or by a process for each core.

Sixteen cells are sampled by one process on all threads, by one process on one thread, and by as many processes of one
thread each, which share out the cells and start together. One of the three works at a time.

Run it from the repository root::

    python benchmarks/processes.py --short --json /tmp/processes.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

import common
import md
import systems
from remote import Remote

from aiida_anial.potential.engine import make_engine

QUESTION: Final = 'Threads or processes, for sixteen trajectories?'
N_CELLS: Final = 16


def sampler(share: range, threads: int, n_cells: int, engine_name: str) -> Callable[[int], tuple[float, float]]:
    """Return what samples a share of the cells in this process."""
    engine = make_engine(systems.random_ensemble(), common.Options(threads=threads).settings(engine_name))
    cells = systems.mixed_cells(n_cells).select(list(share))
    return lambda steps: md.sampling(engine, cells, steps=steps)


def together(processes: Sequence[Remote]) -> Callable[[int], tuple[float, float]]:
    """Return what lets all ``processes`` make steps, and takes the time until the last one is done."""

    def run(steps: int) -> tuple[float, float]:
        start = time.perf_counter()
        for process in processes:
            process.start(steps)
        amount = sum(process.finish()[0] for process in processes)
        return amount, time.perf_counter() - start

    return run


def compare(options: common.Options, *, n_cells: int, budget_s: float, turns: int) -> common.Result:
    """Return the table."""
    teams = {'one process': (1, options.threads), 'processes': (options.threads, 1), 'one thread': (1, 1)}
    every = md.DYNAMICS.check_interval
    with ExitStack() as stack:
        blocks = {}
        for name, (n_processes, threads) in teams.items():
            shares = [range(number, n_cells, n_processes) for number in range(n_processes)]
            processes = [
                stack.enter_context(Remote(sampler, share, threads, n_cells, options.engines[0], threads=threads))
                for share in shares
            ]
            blocks[name] = common.calibrated(together(processes), budget_s=budget_s, least=every, multiple=every)
        measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    rows: list[dict[str, Any]] = [
        {'processes': n_processes, 'threads_each': threads, **measured[name].row('atom_steps_per_s')}
        for name, (n_processes, threads) in teams.items()
    ]
    figures = {
        'processes_over_threads': common.ratio(measured['processes'], measured['one process']),
        'threads_speedup': common.ratio(measured['one process'], measured['one thread']),
    }
    notes = [
        f'sample() on {n_cells} random cells of 55 to 250 atoms, shared out between the processes; everything counts, '
        'the start of the trajectories too; median of the turns.'
    ]
    return common.Result(QUESTION, rows, figures, notes)


def measure(options: common.Options) -> common.Result:
    """Measure what the form asks for."""
    budget_s, turns = (1.0, 4) if options.short else (4.0, 7)
    return compare(options, n_cells=N_CELLS, budget_s=budget_s, turns=turns)


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
