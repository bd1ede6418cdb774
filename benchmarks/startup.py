"""How long it takes from nothing to the first forces: imports, compilation, and what is left of it the second time.

Every figure is that of a process of its own. The first finds an empty folder for compiled code, the second what the
first one left there.

Run it from the repository root::

    python benchmarks/startup.py --short --json /tmp/startup.json
"""

from __future__ import annotations

import json
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any, Final

import common

QUESTION: Final = 'How many seconds does the first evaluation take, compilation and imports included?'
CHILD: Final = '--child'
N_ATOMS: Final = 108


def first_forces(threads: int, name: str) -> dict[str, Any]:
    """Evaluate twice in this process, and return the seconds of each stage."""
    import systems

    from aiida_anial.potential.engine import Engine, make_engine

    ensemble, cells = systems.random_ensemble(), systems.crystal(N_ATOMS)
    start = time.perf_counter()
    engine: Engine
    if name == 'torchani':
        import rivals

        engine = rivals.TorchaniEngine(ensemble)
    else:
        engine = make_engine(ensemble, common.Options(threads=threads).settings(name))
    engine.evaluate(cells)
    first = time.perf_counter()
    engine.evaluate(cells)
    second = time.perf_counter()
    return {'engine': type(engine).__name__, 'first_s': first - start, 'second_s': second - first}


def measure(options: common.Options) -> common.Result:
    """Measure the engine twice and torchani once."""
    result = common.Result(QUESTION)
    with TemporaryDirectory() as folder:
        environment = {'NUMBA_CACHE_DIR': folder}
        cases = [
            (f'{name}, {form}', name) for name in options.engines for form in ('never compiled', 'compiled before')
        ]
        for label, name in [*cases, ('torchani', 'torchani')]:
            common.progress(f'startup: {label}')
            start = time.perf_counter()
            row = common.run_child('startup.py', CHILD, str(options.threads), name, environment=environment)
            result.rows.append({'program': label, **row, 'process_s': time.perf_counter() - start})
    result.figures = {
        'startup_never_compiled_s': result.rows[0]['first_s'],
        'startup_compiled_before_s': result.rows[1]['first_s'],
    }
    result.notes = [
        f'first, second: evaluation of {N_ATOMS} atoms, the first with the making of the engine and its imports; '
        'process: from start to end, with the import of torch and ASE.'
    ]
    return result


def child(threads: str, name: str) -> int:
    """Be the process that evaluates."""
    import torch

    torch.set_num_threads(int(threads))
    with common.quiet():
        row = first_forces(int(threads), name)
    print(json.dumps(row))
    return 0


if __name__ == '__main__':
    sys.exit(child(*sys.argv[2:]) if sys.argv[1:2] == [CHILD] else common.run_script(measure))
