"""Convert structure nodes to arrays and back."""

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
    """Return an unstored structure with all lengths rounded to 1e-6 angstrom.

    Text files preserve the rounded lengths, and therefore the content hash by which the dataset is split.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` lattice vectors in angstrom, one per row.
    :param species: ``[n]`` atomic numbers.
    """
    structure = orm.StructureData(cell=np.round(lattice, 6).tolist())
    for position, number in zip(np.round(positions, 6), species, strict=True):
        structure.append_atom(position=position.tolist(), symbols=chemical_symbols[number])
    return structure


def to_cells(structures: Mapping[str, orm.StructureData]) -> Cells:
    """Return the structures as one batch, in the order of their labels."""
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
