"""The speed of a potential on this machine."""

from __future__ import annotations

import time
from typing import Final

from ase.build import bulk

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings

__all__ = ('atom_steps_per_second',)

_REPEATS: Final = 3


def atom_steps_per_second(potential: Potential) -> float:
    """Return how many atoms of FCC aluminium get energies and forces in a second of one core, in single precision."""
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (5, 5, 5)
    atoms.rattle(0.05, seed=1)
    cells = Cells.from_lists([atoms.positions], [atoms.cell.array], species=13)
    engine = make_engine(potential, EngineSettings())
    engine.evaluate(cells, forces=True)  # compiles
    seconds = []
    for _ in range(_REPEATS):
        before = time.process_time()
        engine.evaluate(cells, forces=True)
        seconds.append(time.process_time() - before)
    return len(atoms) / min(seconds)
