"""Measure the memory of one evaluation of a large cell: energies of all members, mean forces and stress.

Every figure is the peak resident memory of a process of its own (``ru_maxrss``), including the libraries.
"""

from __future__ import annotations

import resource
from typing import Any, Final

import child
import common
import rivals
import systems
import torch

from aiida_anial.potential.engine import make_engine

SIZES: Final = {True: (10_000, 100_000), False: (1000, 10_000, 30_000, 100_000, 300_000)}
NAMED: Final = 100_000
# With many more atoms, torchani's triples would not fit into the memory of a desktop computer.
TORCHANI_ATOMS: Final = 2000


def peak_gib() -> float:
    """Return the peak resident memory of this process in GiB."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 2**20


def evaluate(*, n_atoms: int, threads: int, engine: str = 'auto') -> dict[str, Any]:
    """Evaluate a crystal in this process, and return memory and time.

    :param n_atoms: smallest number of atoms of the crystal.
    :param engine: engine of the package, or ``torchani``, which is given its neighbours and computes no stress.
    """
    torch.set_num_threads(threads)
    ensemble = systems.random_ensemble()
    own = None if engine == 'torchani' else make_engine(ensemble, common.Options(False, engine, threads).settings())

    def work(n_atoms: int) -> int:
        cells = systems.crystal(n_atoms)
        if own is None:
            rivals.energies_and_forces(ensemble, cells)
        else:
            own.evaluate(cells, stress=True)
        return len(cells.positions)

    work(4)
    before = peak_gib()
    done: list[int] = []
    duration = common.seconds(lambda: done.append(work(n_atoms)))
    return {'atoms': done[0], 'peak_gib': peak_gib(), 'before_gib': before, 'seconds': duration}


def measure(options: common.Options) -> common.Result:
    """Measure all sizes of the chosen form."""
    cases = [*((options.engine, size) for size in SIZES[options.short]), ('torchani', TORCHANI_ATOMS)]
    rows = []
    for program, size in cases:
        common.progress(f'memory: {program}, {size} atoms')
        row = child.run('memory', 'evaluate', n_atoms=size, threads=options.threads, engine=program)
        per_atom = (row['peak_gib'] - row['before_gib']) * 2**20 / row['atoms']
        rows.append({'program': program, **row, 'kib_per_atom': per_atom})
    largest, rival = next(row for row in rows if row['atoms'] >= NAMED), rows[-1]
    figures = {
        'memory_100k_atoms_gib': largest['peak_gib'],
        'memory_100k_atoms_s': largest['seconds'],
        'memory_kib_per_atom': largest['kib_per_atom'],
        'memory_torchani_kib_per_atom': rival['kib_per_atom'],
        'memory_ratio_torchani': rival['kib_per_atom'] / max(largest['kib_per_atom'], 1e-3),
    }
    return common.Result(rows, figures)
