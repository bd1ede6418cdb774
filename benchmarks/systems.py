"""Systems for the measurements: cells of aluminium, and ensembles with random weights."""

from __future__ import annotations

import numpy as np
import torch
from ase.build import bulk

from aiida_anial.common.cells import Cells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.settings import CellFamily, CellSettings
from aiida_anial.training.parameters import draw_parameters, to_ensemble

# Typical norm of the descriptors of dense aluminium, for which the weights are drawn.
_FEATURE_NORM = 3.0
_SELF_ENERGY_EV = -2.0
_EDGE_ANGSTROM = 4.05
_RATTLE_ANGSTROM = 0.1


def random_ensemble(model: ModelSettings | None = None, *, seed: int = 1) -> Ensemble:
    """Return an untrained ensemble, by default of the default architecture: the weights do not affect the speed."""
    model = model or ModelSettings()
    drawn = [
        draw_parameters(model, seed=seed, member=member, attempt=0, feature_norm=_FEATURE_NORM)
        for member in range(model.n_members)
    ]
    return to_ensemble(torch.tensor(np.stack(drawn)), model, self_energy=_SELF_ENERGY_EV)


def crystal(n_atoms: int) -> Cells:
    """Return a rattled FCC crystal of at least ``n_atoms`` atoms, in a box as close to a cube as possible.

    Its density is that at room temperature.
    """
    repeats = np.array([1, 1, 1])
    while 4 * repeats.prod() < n_atoms:
        repeats[np.argmin(repeats)] += 1
    atoms = bulk('Al', 'fcc', a=_EDGE_ANGSTROM, cubic=True).repeat(tuple(repeats.tolist()))
    atoms.rattle(_RATTLE_ANGSTROM, seed=1)
    return Cells.from_lists([atoms.positions], [atoms.cell[:]], species=13)


def _cells_of(n_atoms: tuple[int, int], *, n: int, seed: int) -> Cells:
    """Return random cells with the paper's densities, as close to cubes as these numbers of atoms allow.

    :param n_atoms: smallest and largest number of atoms in a cell.
    :param n: number of cells.
    """
    # From the densest cell with the fewest atoms, 11 angstrom^3 each, to the least dense one with the most, 25 each.
    edges = ((11 * n_atoms[0]) ** (1 / 3), (25 * n_atoms[1]) ** (1 / 3))
    settings = CellSettings(families=(CellFamily(edges_angstrom=edges, n_atoms=n_atoms),))
    return random_cells(settings, seed=seed, n=n)


def mixed_cells(n: int = 16) -> Cells:
    """Return random cells of 55 to 250 atoms, as at the start of active learning."""
    return random_cells(CellSettings(), seed=16, n=n)


def small_cells(n_atoms: int, *, n: int) -> Cells:
    """Return random cells of ``n_atoms`` atoms each."""
    return _cells_of((n_atoms, n_atoms), n=n, seed=n_atoms)


def training_cells(n: int = 200, *, n_atoms: int = 39) -> Cells:
    """Return random cells to train on."""
    return _cells_of((n_atoms, n_atoms), n=n, seed=7)
