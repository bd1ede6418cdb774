"""Measure the time from a new engine to its first forces, with and without compiled code.

The time includes imports and compilation. Every figure is that of a process of its own. The first process starts with
an empty folder for compiled code, the second with the code that the first one left there.
"""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import Final

import child
import common
import systems
import torch

from aiida_anial.potential.engine import make_engine

N_ATOMS: Final = 108


def first_forces(*, engine: str, threads: int) -> dict[str, float]:
    """Return the seconds of a first and a second evaluation; the first includes the creation of the engine."""
    torch.set_num_threads(threads)
    ensemble, cells = systems.random_ensemble(), systems.crystal(N_ATOMS)
    start = time.perf_counter()
    made = make_engine(ensemble, common.Options(False, engine, threads).settings())
    made.evaluate(cells)
    first_s = time.perf_counter() - start
    return {'first_s': first_s, 'second_s': common.seconds(lambda: made.evaluate(cells))}


def measure(options: common.Options) -> common.Result:
    """Measure the engine twice, without and with compiled code."""
    result = common.Result()
    with TemporaryDirectory() as folder:
        for form in ('never_compiled', 'compiled_before'):
            common.progress(f'startup: {form}')
            row = child.run(
                'startup',
                'first_forces',
                environment={'NUMBA_CACHE_DIR': folder},
                engine=options.engine,
                threads=options.threads,
            )
            result.rows.append({'form': form, **row})
            result.figures[f'startup_{form}_s'] = row['first_s']
    return result
