"""What the allocator of memory costs torchani, and whether the package still leads when that is mended.

The allocator of glibc gives large arrays back to the system and asks for them again at every step. Two environment
variables stop that. A user of torchani has to know them; the package sets them for its own jobs. The programs run in
processes of their own, with and without these variables, and take turns.

Run it from the repository root::

    python benchmarks/allocator.py --short --json /tmp/allocator.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import common
import md
import rivals
import systems
from remote import Remote

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine

QUESTION: Final = 'What does the allocator of memory cost in molecular dynamics?'
TUNED: Final = {'MALLOC_MMAP_THRESHOLD_': '1073741824', 'MALLOC_TRIM_THRESHOLD_': '1073741824'}
PROGRAMS: Final = ('aiida-anial', *md.RIVALS)

Run = Callable[[int], tuple[float, float]]


def program(name: str, cells: Cells, threads: int, engine_name: str) -> Run:
    """Return what makes steps with one of ``PROGRAMS`` in this process."""
    ensemble = systems.random_ensemble()
    if name == md.RIVALS[0]:
        return md.under_ase(ensemble, cells).run
    if name == md.RIVALS[1]:
        batched = rivals.TorchaniEngine(ensemble)
        return lambda steps: md.sampling(batched, cells, steps=steps)
    engine = make_engine(ensemble, common.Options(threads=threads).settings(engine_name))
    return lambda steps: md.sampling(engine, cells, steps=steps)


def compare(name: str, cells: Cells, options: common.Options, *, budget_s: float, turns: int) -> common.Result:
    """Return the rows and figures of one system.

    :param name: of the system, for the names of figures.
    """
    threads, environments = options.threads, {'as it is': {}, 'tuned': TUNED}
    every = md.DYNAMICS.check_interval
    with ExitStack() as stack:
        blocks = {}
        for one in PROGRAMS:
            least = every if one == PROGRAMS[0] else 1
            for allocator, environment in environments.items():
                arguments = (one, cells, threads, options.engines[0])
                remote = Remote(program, *arguments, threads=threads, environment=environment)
                run = stack.enter_context(remote).run
                blocks[one, allocator] = common.calibrated(run, budget_s=budget_s, least=least, multiple=least)
        measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    result = common.Result(QUESTION)
    for (one, allocator), found in measured.items():
        row = {'system': name, 'program': one, 'allocator': allocator, **found.row('atom_steps_per_s')}
        gain = common.ratio(found, measured[one, 'as it is'])
        result.rows.append(
            {**row, 'gain': gain, 'ratio_to_ase': common.ratio(found, measured[md.RIVALS[0], allocator])}
        )
    own = measured[PROGRAMS[0], 'tuned']
    result.figures = {
        f'md_{name}_ratio_torchani_tuned': common.ratio(own, measured[md.RIVALS[0], 'tuned']),
        f'md_{name}_ratio_torchani_batched_tuned': common.ratio(own, measured[md.RIVALS[1], 'tuned']),
        f'md_{name}_torchani_gain_tuned': common.ratio(*(measured[md.RIVALS[0], key] for key in ('tuned', 'as it is'))),
    }
    return result


def measure(options: common.Options) -> common.Result:
    """Measure what the form asks for."""
    budget_s, turns = (0.6, 4) if options.short else (3.0, 7)
    result = common.Result(QUESTION)
    result.notes = [f'tuned: {" ".join(f"{name}={value}" for name, value in TUNED.items())}; median of the turns.']
    for name in ('108',) if options.short else ('108', '256', '2048'):
        common.progress(f'allocator: {name}')
        part = compare(name, md.SYSTEMS[name](), options, budget_s=budget_s, turns=turns)
        result.rows += part.rows
        result.figures |= part.figures
    return result


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
