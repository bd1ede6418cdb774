"""Measure whether the smallest cells are worth their labels, and write ``benchmarks/results/cell_sizes.json``.

Cells as those of the protocol ``laptop``, each after a short run of dynamics at a random temperature, are labelled by
ASE's EMT, which stands in for PBE. Ensembles are trained on as many of them as a fixed sum pays for, where a cell costs
what pw.x would take for it: with cells of all sizes, and without the smallest. Errors are those on other cells of 15
atoms and more. Run it from the repository root; it takes half an hour::

    python benchmarks/cell_sizes.py
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import common
import numpy as np
import tables
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.optimize import FIRE
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.kpoints import label_mesh
from aiida_anial.common.labels import LabelledCells
from aiida_anial.labellers.pw_inputs import namelists_with_bands
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings, ModelSettings
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.training.emt_labels import emt_labels
from aiida_anial.training.errors import configuration_errors, summarise
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainer import train_ensemble

N_CELLS: Final = 160
N_TESTED: Final = 40
# Smallest number of atoms of a cell that is tested.
_LARGE: Final = 15
# Smallest number of atoms of a cell that is trained on, by series.
SERIES: Final = {'all sizes': 1, '9 atoms and more': 9}
_TEMPERATURES_K: Final = (300.0, 2500.0)
_STEPS: Final = 150
_TRAINING: Final = {'batch_size': 16, 'max_steps': 1000, 'learning_rate': 0.004}


def moved(seed: int) -> Cells:
    """Return cells of the protocol ``laptop`` after dynamics by EMT."""
    generator = np.random.default_rng(seed)
    positions, lattices, species = [], [], []
    for place, lattice, kinds in random_cells(campaign_inputs('laptop').cells, seed=seed, n=N_CELLS).configurations():
        atoms = Atoms(kinds, positions=place, cell=lattice, pbc=True, calculator=EMT())
        FIRE(atoms, logfile=None).run(steps=30)
        temperature = generator.uniform(*_TEMPERATURES_K)
        dynamics = Langevin(atoms, 2 * units.fs, temperature_K=temperature, friction=0.05, fixcm=False, rng=generator)
        dynamics.run(_STEPS)
        positions.append(atoms.positions)
        lattices.append(atoms.cell.array)
        species.append(atoms.numbers)
    return Cells.from_lists(positions, lattices, species=species)


def prices(cells: Cells) -> NDArray[np.float64]:
    """Return what pw.x takes for each cell with the settings of ``laptop``, relative to the mean."""
    density = campaign_inputs('laptop').label.qe.kpoints_per_reciprocal_atom
    assert density is not None
    found = []
    for (_, lattice), volume, n_atoms in zip(cells, cells.volumes, cells.n_atoms.tolist(), strict=True):
        bands = namelists_with_bands({}, 3 * n_atoms)['SYSTEM']['nbnd']
        found.append(math.prod(label_mesh(lattice, n_atoms, density)) * volume * bands**1.5)
    price: NDArray[np.float64] = np.array(found) / np.mean(found)
    return price


def bought(order: Sequence[int], price: NDArray[np.float64], money: float) -> list[int]:
    """Return the cells that a sum pays for, taken in order where they can be paid."""
    chosen = []
    for index in order:
        if price[index] <= money:
            chosen.append(index)
            money -= price[index]
    return chosen


def trained(data: LabelledCells, seed: int) -> Potential:
    """Return an ensemble of the default model, trained on some labels."""
    with TemporaryDirectory() as folder:
        return train_ensemble(
            data,
            model=ModelSettings(),
            settings=TrainingSettings.parse(_TRAINING),
            seed=seed,
            initial=None,
            checkpoint=Path(folder) / 'checkpoint',
            interrupted=lambda: False,
            report=lambda _: None,
        ).ensemble


def measured(seed: int) -> dict[str, dict[str, float]]:
    """Return the errors of each series with one seed."""
    data = emt_labels(moved(seed))
    n_atoms, price = data.cells.n_atoms, prices(data.cells)
    order = np.random.default_rng(seed).permutation(len(data))
    tested = order[n_atoms[order] >= _LARGE][:N_TESTED]
    rest = order[~np.isin(order, tested)]
    # What all cells without the smallest cost: the other series has as much.
    money = float(price[rest[n_atoms[rest] >= max(SERIES.values())]].sum())
    found = {}
    for name, least in SERIES.items():
        chosen = np.array(bought(rest[n_atoms[rest] >= least].tolist(), price, money))
        ensemble = trained(data.select(chosen), seed)
        errors = configuration_errors(ensemble, data.select(tested), make_engine(ensemble, EngineSettings()))
        per_atom = 1e3 * errors.energy_errors / errors.n_atoms
        found[name] = {
            'n_labels': len(chosen),
            'energy_mev_per_atom': float(np.std(per_atom)),
            'force_ev_per_angstrom': summarise(errors)['force_rmse_ev_per_angstrom'],
        }
        common.progress(f'seed {seed}, {name}: {found[name]}')
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure with some seeds, then write the file and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=3, help='number of seeds; default: 3')
    parser.add_argument('--json', type=Path, default=tables.CELL_SIZES.file, help='file to write')
    given = parser.parse_args(arguments)
    seeds = {str(seed): measured(seed) for seed in range(1, given.seeds + 1)}
    tables.CELL_SIZES.publish({'seeds': seeds, 'n_tested': N_TESTED}, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
