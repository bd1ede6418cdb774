"""How the time of an evaluation grows with atoms, cells and members, and what stress and members' forces cost.

Run it from the repository root::

    python benchmarks/scaling.py --short --json /tmp/scaling.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

import common
import systems

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, make_engine
from aiida_anial.potential.settings import ModelSettings

QUESTION: Final = 'How does the time of an evaluation grow?'
SKIN_ANGSTROM: Final = 0.5
ATOMS: Final = {True: (100, 1000, 10_000, 100_000), False: (100, 300, 1000, 3000, 10_000, 30_000, 100_000)}
CELLS: Final = {True: (1, 4, 16, 64, 256), False: (1, 2, 4, 8, 16, 32, 64, 128, 256)}
ATOMS_OF_A_CELL: Final = 32
MEMBERS: Final = {True: (1, 2, 4, 8, 16, 32), False: (1, 2, 4, 8, 16, 32)}
ATOMS_FOR_MEMBERS: Final = 256
# What is asked of an evaluation besides the energies of all members.
WANTED: Final[dict[str, dict[str, bool]]] = {
    'energies': {'forces': False},
    'forces': {},
    'forces, stress': {'stress': True},
    'forces of each member': {'member_forces': True},
}


def evaluation(engine: Engine, cells: Cells, **wanted: bool) -> Callable[[int], tuple[float, float]]:
    """Return a function that evaluates ``cells`` some times, on neighbours listed beforehand with a skin."""
    neighbours = engine.neighbours(cells, skin=SKIN_ANGSTROM)
    n_atoms = float(cells.n_atoms.sum())

    def run(times: int) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(times):
            engine.evaluate(cells, neighbours=neighbours, **wanted)
        return times * n_atoms, time.perf_counter() - start

    return run


def series(
    name: str, blocks: dict[str, Callable[[int], tuple[float, float]]], *, budget_s: float, turns: int
) -> list[dict[str, Any]]:
    """Return the rows of one series, whose members took turns."""
    common.progress(f'scaling: {name}')
    ready = {key: common.calibrated(run, budget_s=budget_s) for key, run in blocks.items()}
    measured = common.interleave(ready, turns=turns, limit_s=2 * turns * budget_s)
    return [{'series': name, 'value': key, **found.row('atoms_per_s')} for key, found in measured.items()]


def measure_all(
    options: common.Options,
    *,
    atoms: tuple[int, ...],
    cells: tuple[int, ...],
    members: tuple[int, ...],
    budget_s: float,
    turns: int,
) -> common.Result:
    """Return the table of all series."""
    settings = options.settings(options.engines[0])
    engine = make_engine(systems.random_ensemble(), settings)
    time_of = {'budget_s': budget_s, 'turns': turns}
    by_atoms = {str(n): evaluation(engine, systems.crystal(n)) for n in atoms}
    batch = systems.small_cells(ATOMS_OF_A_CELL, n=max(cells))
    by_cells = {str(n): evaluation(engine, batch.select(range(n))) for n in cells}
    crystal = systems.crystal(ATOMS_FOR_MEMBERS)
    by_members = {
        str(n): evaluation(make_engine(systems.random_ensemble(ModelSettings(n_members=n)), settings), crystal)
        for n in members
    }
    by_wanted = {name: evaluation(engine, crystal, **wanted) for name, wanted in WANTED.items()}
    rows = series('atoms of one cell', by_atoms, **time_of)  # type: ignore[arg-type]
    rows += series(f'cells of {ATOMS_OF_A_CELL} atoms', by_cells, **time_of)  # type: ignore[arg-type]
    rows += series(f'members, {ATOMS_FOR_MEMBERS} atoms', by_members, **time_of)  # type: ignore[arg-type]
    rows += series(f'wanted, {ATOMS_FOR_MEMBERS} atoms', by_wanted, **time_of)  # type: ignore[arg-type]
    rates = {row['value']: row['atoms_per_s'] for row in rows[: len(atoms)]}
    wanted = {row['value']: row['atoms_per_s'] for row in rows[-len(WANTED) :]}
    figures = {
        f'evaluate_{max(atoms)}_atoms_s': len(systems.crystal(max(atoms)).positions) / rates[str(max(atoms))],
        'evaluate_member_forces_cost': wanted['forces'] / wanted['forces of each member'],
        'evaluate_stress_cost': wanted['forces'] / wanted['forces, stress'],
    }
    notes = [
        f'engine.evaluate on lists made before, with a skin of {SKIN_ANGSTROM} angstrom: energies of all members and '
        'mean forces, float32, but for the last series. Crystals for atoms and members, random cells for cells.',
    ]
    return common.Result(QUESTION, rows, figures, notes)


def measure(options: common.Options) -> common.Result:
    """Measure what the form asks for."""
    budget_s, turns = (0.25, 3) if options.short else (2.0, 5)
    short = options.short
    return measure_all(
        options, atoms=ATOMS[short], cells=CELLS[short], members=MEMBERS[short], budget_s=budget_s, turns=turns
    )


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
