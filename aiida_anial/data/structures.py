"""Between structure nodes and plain arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells

__all__ = ('to_cells', 'to_structure')

ELEMENT = 'Al'


def to_structure(positions: NDArray[np.float64], lattice: NDArray[np.float64]) -> orm.StructureData:
    """Return an unstored structure of aluminium, its lengths whole multiples of 1e-6 angstrom.

    A text file keeps those, and with them the content hash from which the split of the dataset follows.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` lattice vectors in angstrom, one a row.
    """
    structure = orm.StructureData(cell=np.round(lattice, 6).tolist())
    for position in np.round(positions, 6):
        structure.append_atom(position=position.tolist(), symbols=ELEMENT)
    return structure


def to_cells(structures: Mapping[str, orm.StructureData]) -> Cells:
    """Return the batch of the structures in the order of their labels."""
    ordered = [structures[label] for label in sorted(structures)]
    positions = [[site.position for site in structure.sites] for structure in ordered]
    return Cells.from_lists(positions, [structure.cell for structure in ordered])
