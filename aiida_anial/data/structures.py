"""Between structure nodes and plain arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from aiida import orm
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells

__all__ = ('to_cells', 'to_structure')


def to_structure(
    positions: NDArray[np.float64], lattice: NDArray[np.float64], species: NDArray[np.integer]
) -> orm.StructureData:
    """Return an unstored structure, its lengths whole multiples of 1e-6 angstrom.

    A text file keeps those, and with them the content hash from which the split of the dataset follows.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` lattice vectors in angstrom, one a row.
    :param species: ``[n]`` atomic numbers.
    """
    structure = orm.StructureData(cell=np.round(lattice, 6).tolist())
    for position, number in zip(np.round(positions, 6), species, strict=True):
        structure.append_atom(position=position.tolist(), symbols=chemical_symbols[number])
    return structure


def to_cells(structures: Mapping[str, orm.StructureData]) -> Cells:
    """Return the batch of the structures in the order of their labels."""
    ordered = [structures[label] for label in sorted(structures)]
    return Cells.from_lists(
        [[site.position for site in structure.sites] for structure in ordered],
        [structure.cell for structure in ordered],
        species=[_species(structure) for structure in ordered],
    )


def _species(structure: orm.StructureData) -> list[int]:
    """Return the atomic number of each site, whose kind may have a name of its own, such as ``Fe1``."""
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    return [atomic_numbers[symbols[site.kind_name]] for site in structure.sites]
