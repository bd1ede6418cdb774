"""How much memory one evaluation of a large cell takes: energies of all members, mean forces and stress.

Every figure is the peak of the resident memory of a process of its own (``ru_maxrss``), libraries and all.

Run it from the repository root::

    python benchmarks/memory.py --short --json /tmp/memory.json
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any, Final

import common

QUESTION: Final = 'How much memory does the evaluation of a large cell take?'
SIZES: Final = {True: (10_000, 100_000), False: (1000, 10_000, 30_000, 100_000, 300_000)}
NAMED: Final = 100_000
# torchani's triples of many more atoms would not fit into the memory of a desk.
TORCHANI_ATOMS: Final = 2000
CHILD: Final = '--child'


def peak_gib() -> float:
    """Return the largest resident memory that this process has had."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 2**20


def evaluate(n_atoms: int, options: common.Options) -> dict[str, Any]:
    """Evaluate a crystal in this process, and return what it took."""
    import systems

    from aiida_anial.potential.engine import make_engine

    engine = make_engine(systems.random_ensemble(), options.settings(options.engines[0]))
    engine.evaluate(systems.crystal(4), stress=True)
    before = peak_gib()
    cells = systems.crystal(n_atoms)
    start = time.perf_counter()
    prediction = engine.evaluate(cells, stress=True)
    duration = time.perf_counter() - start
    assert prediction.forces is not None
    row = {'program': 'aiida-anial', 'engine': type(engine).__name__, 'atoms': len(prediction.forces)}
    return row | {'peak_gib': peak_gib(), 'before_gib': before, 'seconds': duration}


def evaluate_torchani(n_atoms: int) -> dict[str, Any]:
    """Let torchani do the same with the neighbours given to it, without stress."""
    import rivals
    import systems

    engine = rivals.TorchaniEngine(systems.random_ensemble())
    engine.evaluate(systems.crystal(4))
    before = peak_gib()
    cells = systems.crystal(n_atoms)
    duration = common.seconds(lambda: engine.evaluate(cells))
    row = {'program': 'torchani, batched model', 'atoms': len(cells.positions)}
    return row | {'peak_gib': peak_gib(), 'before_gib': before, 'seconds': duration}


def measure_all(options: common.Options, *, sizes: tuple[int, ...], torchani_atoms: int) -> common.Result:
    """Return the table of these sizes."""
    result = common.Result(QUESTION)
    for size in sizes:
        common.progress(f'memory: {size} atoms')
        arguments = [CHILD, str(size), str(options.threads), options.engines[0]]
        result.rows.append(common.run_child('memory.py', *arguments))
    common.progress(f'memory: torchani, {torchani_atoms} atoms')
    result.rows.append(common.run_child('memory.py', CHILD, str(torchani_atoms), str(options.threads), 'torchani'))
    for row in result.rows:
        row['kib_per_atom'] = (row['peak_gib'] - row['before_gib']) * 2**20 / row['atoms']
    largest = next((row for row in result.rows if row['atoms'] >= NAMED), result.rows[len(sizes) - 1])
    rival = result.rows[-1]
    result.figures = {
        'memory_100k_atoms_gib': largest['peak_gib'] if largest['atoms'] >= NAMED else None,
        'memory_100k_atoms_s': largest['seconds'] if largest['atoms'] >= NAMED else None,
        'memory_kib_per_atom': largest['kib_per_atom'],
        'memory_torchani_kib_per_atom': rival['kib_per_atom'],
        'memory_ratio_torchani': rival['kib_per_atom'] / max(largest['kib_per_atom'], 1e-3),
    }
    result.notes = [
        'peak: of the whole process; before: after the evaluation of four atoms, compilation included.',
        'seconds: neighbours included. torchani: neighbours given to it, no stress; fewer atoms, for it takes more.',
    ]
    return result


def measure(options: common.Options) -> common.Result:
    """Measure what the form asks for."""
    return measure_all(options, sizes=SIZES[options.short], torchani_atoms=TORCHANI_ATOMS)


def child(size: str, threads: str, engine: str) -> int:
    """Be the process that evaluates."""
    import torch

    torch.set_num_threads(int(threads))
    with common.quiet():
        options = common.Options(threads=int(threads), engines=(engine,))
        row = evaluate_torchani(int(size)) if engine == 'torchani' else evaluate(int(size), options)
    print(json.dumps(row))
    return 0


if __name__ == '__main__':
    sys.exit(child(*sys.argv[2:]) if sys.argv[1:2] == [CHILD] else common.run_script(measure))
