"""Configurations of labels, in the few bytes that a page has for them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import numpy as np

from aiida_anial.report.page.elements import evenly, numbers
from aiida_anial.report.page.sources import PageSources

__all__ = ('label_structures',)

# Atoms on a page, of 8 bytes each.
_MOST_ATOMS: Final = 120_000
_PER_ANGSTROM: Final = 100


def label_structures(sources: PageSources) -> dict[str, Any]:
    """Return the configurations of labels.

    :return: ``rows`` of the labels that have one, ``lattices`` ``[K, 9]`` in angstrom, ``n_atoms`` ``[K]``, and
        ``positions``, 16-bit integers in hundredths of an angstrom, little-endian, base64. All of them, or as many as
        there is room for, evenly spread.
    """
    labels = sources.labels
    n_atoms = sum(label['n_atoms'] for label in labels)
    rows = evenly(len(labels), min(len(labels), int(len(labels) * _MOST_ATOMS / max(n_atoms, 1))))
    lattices, sizes, positions = [], [], []
    for row in rows:
        cells = sources.shards[labels[row]['shard']].cells
        coordinates, lattice = cells.one(labels[row]['row'])
        lattices.append(numbers(lattice.ravel(), 5))
        sizes.append(len(coordinates))
        positions.append(np.round(_PER_ANGSTROM * _wrapped(coordinates, lattice)).astype('<i2').tobytes())
    return {
        'rows': rows,
        'lattices': lattices,
        'n_atoms': sizes,
        'positions': b64encode(b''.join(positions)).decode('ascii'),
    }


def _wrapped(positions: Any, lattice: Any) -> Any:
    """Return positions inside the cell."""
    fractions = np.linalg.solve(lattice.T, positions.T).T
    return (fractions % 1.0) @ lattice
