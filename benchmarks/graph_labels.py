"""Labels with plausible numbers, drawn from a seed: nothing was computed, and no potential would learn from them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells

__all__ = ('draw_labels', 'structure_attributes')

LEAST_ATOMS: Final = 55
MOST_ATOMS: Final = 250
# The paper's cells have 129 atoms on average.
_ATOMS_BETA: Final = (1.9, 3.1)
_VOLUME_PER_ATOM_ANGSTROM3: Final = (11.1, 24.9)
_ENERGY_PER_ATOM_EV: Final = -56.6
_JITTER: Final = 0.15


def draw_labels(
    generator: np.random.Generator, uuids: list[str], *, iteration: int, origin: str, n_atoms: tuple[int, int]
) -> LabelledCells:
    """Return labels of cells whose atoms sit on a grid with holes, a little beside their places.

    :param uuids: of the calculations, one a label.
    :param n_atoms: least and largest number of atoms.
    """
    low, high = n_atoms
    numbers = np.rint(low + (high - low) * generator.beta(*_ATOMS_BETA, len(uuids))).astype(np.int64)
    geometries = [_cell(generator, int(number)) for number in numbers]
    total = int(numbers.sum())
    stresses = 0.02 * generator.standard_normal((len(uuids), 3, 3))
    return LabelledCells(
        cells=Cells.from_lists(
            [positions for positions, _ in geometries], [lattice for _, lattice in geometries], species=13
        ),
        energies=numbers * (_ENERGY_PER_ATOM_EV + 0.2 * generator.random(len(uuids))),
        forces=0.8 * generator.standard_normal((total, 3)),
        stresses=(stresses + stresses.transpose(0, 2, 1)) / 2,
        uuids=tuple(uuids),
        iterations=np.full(len(uuids), iteration, dtype=np.int64),
        origins=(origin,) * len(uuids),
    )


def _cell(generator: np.random.Generator, n_atoms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions and lattice in angstrom, whole multiples of 1e-6 as those of structure nodes are."""
    shape = generator.uniform(0.8, 1.2, 3)
    volume = n_atoms * generator.uniform(*_VOLUME_PER_ATOM_ANGSTROM3)
    edges = np.round(shape * (volume / shape.prod()) ** (1 / 3), 6)
    side = int(np.ceil(n_atoms ** (1 / 3)))
    sites = generator.permutation(side**3)[:n_atoms]
    grid = np.stack(np.unravel_index(sites, (side,) * 3), axis=1) + 0.5
    fractions = (grid + generator.uniform(-_JITTER, _JITTER, (n_atoms, 3))) / side
    return np.round(fractions * edges, 6), np.diag(edges)


def structure_attributes(pattern: dict[str, Any], labelled: LabelledCells, row: int) -> dict[str, Any]:
    """Return the attributes of the ``StructureData`` of one configuration.

    :param pattern: those of another structure of aluminium.
    """
    positions, lattice = labelled.cells.one(row)
    site = pattern['sites'][0]
    return {
        **pattern,
        'cell': lattice.tolist(),
        'sites': [{**site, 'position': position} for position in positions.tolist()],
    }
