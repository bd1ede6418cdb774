"""How long a list of neighbours takes, by the package, torchani and ASE, and by vesin and matscipy if they are there.

Run it from the repository root::

    python benchmarks/neighbours.py --short --json /tmp/neighbours.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

import common
import numpy as np
import rivals
import systems
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.ensemble import Ensemble

QUESTION: Final = 'How many microseconds an atom does a list of neighbours take?'
OWN: Final = 'aiida-anial'
# Lists within 7 angstrom, all pairs in them: the package's renewed list is wider by its skin.
SIZES: Final = {'55': 55, '108': 108, '256': 256, '2048': 2048}
LARGE: Final = {'20000': 20_000, '100000': 100_000}
# All pairs of more atoms and their images would take more memory than a desk has.
LARGEST_ALL_PAIRS: Final = 1000
# A list of more takes ASE minutes.
LARGEST_ASE: Final = 20_500

Finder = Callable[[], int]


def finders(cells: Cells, ensemble: Ensemble, options: common.Options) -> dict[str, Finder]:
    """Return, for each program, a function that lists the neighbours and returns how many pairs it found, both ways."""
    cutoff = ensemble.model.descriptor.radial_cutoff_angstrom
    engine = make_engine(ensemble, options.settings(options.engines[0]))
    atoms = [Atoms(f'Al{len(x)}', positions=x, cell=lattice, pbc=True) for x, lattice in cells]

    def by_engine() -> int:
        return sum(len(pairs.neighbour) for pairs in engine.neighbours(cells, skin=0.0))

    def by_ase() -> int:
        return sum(len(neighbor_list('ijS', one, cutoff)[0]) for one in atoms)

    found: dict[str, Finder] = {OWN: by_engine}
    if cells.n_atoms.max() <= LARGEST_ASE:
        found['ASE'] = by_ase
    kinds = ('all_pairs', 'adaptive') if cells.n_atoms.max() <= LARGEST_ALL_PAIRS else ('adaptive',)
    for kind in kinds:
        found[f'torchani, {kind}'] = _by_torchani(cells, cutoff, rivals.torchani_model(ensemble, neighbours=kind))
    if find_spec('vesin') is not None:
        found['vesin'] = _by_vesin(cells, cutoff)
    if find_spec('matscipy') is not None:
        from matscipy.neighbours import neighbour_list  # type: ignore[import-not-found]

        found['matscipy'] = lambda: sum(len(neighbour_list('ijS', one, cutoff)[0]) for one in atoms)
    return found


def _by_vesin(cells: Cells, cutoff: float) -> Finder:
    """Return the function for vesin."""
    from vesin import NeighborList

    finder = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    return lambda: sum(len(finder.compute(*one, periodic=True, quantities='PS')[0]) for one in cells)


def _by_torchani(cells: Cells, cutoff: float, model: Any) -> Finder:
    """Return the function for torchani, which lists each pair once."""
    periodic = torch.tensor([True] * 3)
    inputs = [
        (
            torch.zeros((1, len(positions)), dtype=torch.int64),
            torch.tensor(positions[None], dtype=torch.float32),
            torch.tensor(lattice, dtype=torch.float32),
        )
        for positions, lattice in cells
    ]

    def find() -> int:
        return sum(2 * int(model.neighborlist(cutoff, *one, periodic).indices.shape[1]) for one in inputs)

    return find


def _block(find: Finder, n_atoms: int) -> Callable[[int], tuple[float, float]]:
    def run(times: int) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(times):
            find()
        return float(times * n_atoms), time.perf_counter() - start

    return run


def compare(
    name: str, cells: Cells, ensemble: Ensemble, options: common.Options, *, budget_s: float, turns: int
) -> common.Result:
    """Return the rows and figures of one system.

    :raises RuntimeError: if the programs do not find the same pairs, but for those whose distance is the cutoff itself.
    """
    n_atoms = int(cells.n_atoms.sum())
    found = finders(cells, ensemble, options)
    pairs = {key: find() for key, find in found.items()}
    if max(pairs.values()) - min(pairs.values()) > 2 + 1e-5 * max(pairs.values()):
        raise RuntimeError(f'{name}: the lists are not the same: {pairs} pairs.')
    blocks = {key: common.calibrated(_block(find, n_atoms), budget_s=budget_s) for key, find in found.items()}
    measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    own = measured[OWN]
    result = common.Result(QUESTION)
    for key, rates in measured.items():
        row = {'system': name, 'atoms': n_atoms, 'program': key, 'us_per_atom': 1e6 / rates.rate}
        row |= {'ms_per_list': 1e3 * n_atoms / rates.rate, 'times_the_package': common.ratio(own, rates)}
        result.rows.append({**row, 'pairs_per_atom': float(np.mean(pairs[key])) / n_atoms})
    result.figures[f'neighbours_{name}_us_per_atom'] = 1e6 / own.rate
    ratios = [common.ratio(own, other) for key, other in measured.items() if key.startswith('torchani')]
    result.figures[f'neighbours_{name}_ratio_torchani'] = min(ratios)
    return result


def measure(options: common.Options) -> common.Result:
    """Measure all systems."""
    ensemble = systems.random_ensemble()
    result = common.Result(QUESTION)
    result.notes = [
        'Pairs within 7 angstrom; median of the turns. All but torchani list each pair from both sides, on one thread.',
        'The package lists anew when an atom has moved by half of the skin, torchani at each step. '
        'Ratios to torchani are those to its quicker way.',
    ]
    sizes = SIZES if options.short else {**SIZES, **LARGE}
    chosen = {name: systems.crystal(n) if n != 55 else systems.small_cells(n, n=1) for name, n in sizes.items()}
    for name, cells in {**chosen, 'batch16': systems.mixed_cells(16)}.items():
        common.progress(f'neighbours: {name}')
        budget_s, turns = (0.1, 5) if options.short else (1.0, 7)
        part = compare(name, cells, ensemble, options, budget_s=budget_s, turns=turns)
        result.rows += part.rows
        result.figures |= part.figures
    return result


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
