"""A shard of the dataset: the labels that one process collected, as arrays in one file."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
from aiida.orm import Data
from ase.data import chemical_symbols

from aiida_anial.common.labels import LabelledCells, species_bytes
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.runtime.caching import CachingByContent

__all__ = ('DatasetData',)


class DatasetData(Data):
    """Labelled configurations; the attributes hold summary values for queries.

    :param labelled: the configurations and their labels.
    :param level_of_theory: how the labels were computed; None if that is unknown.
    """

    FILENAME = 'dataset.safetensors'

    # Shards with equal labels have equal hashes: the UUIDs of the calculations are left out.
    _CLS_NODE_CACHING = CachingByContent

    def __init__(
        self, labelled: LabelledCells | None = None, level_of_theory: LevelOfTheory | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if labelled is None:
            return
        self.base.repository.put_object_from_bytes(labelled.to_bytes(), self.FILENAME)
        self.base.attributes.set_many(_summary(labelled))
        self.base.attributes.set('level_of_theory', level_of_theory.to_dict() if level_of_theory else None)

    @property
    def labelled(self) -> LabelledCells:
        """The configurations and their labels, in eV, angstrom, eV/angstrom and eV/angstrom^3."""
        content = self.base.repository.get_object_content(self.FILENAME, mode='rb')
        return LabelledCells.from_bytes(content, source=f'DatasetData<{self.pk}>')

    @property
    def level_of_theory(self) -> LevelOfTheory | None:
        """How the labels were computed, or None if that is unknown."""
        values = self.base.attributes.get('level_of_theory', None)
        return LevelOfTheory.parse(values) if values else None

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements; nodes of the first version contain only aluminium and have no such attribute."""
        return tuple(self.base.attributes.get('elements', ['Al']))

    @property
    def n_configurations(self) -> int:
        """Number of labelled configurations."""
        return int(self.base.attributes.get('n_configurations'))


def _summary(labelled: LabelledCells) -> dict[str, Any]:
    """Return the attributes by which shards are queried."""
    cells = labelled.cells
    per_atom = labelled.energies / cells.n_atoms
    geometry = (cells.positions, cells.lattices, cells.offsets)
    arrays = (*geometry, labelled.energies, labelled.forces, labelled.stresses)
    digest = hashlib.sha256(b''.join(np.ascontiguousarray(array).tobytes() for array in arrays))
    digest.update(species_bytes(cells.species))
    return {
        'schema_version': LabelledCells.SCHEMA_VERSION,
        'elements': sorted({chemical_symbols[number] for number in cells.species}),
        'n_configurations': len(labelled),
        'n_atoms': int(cells.n_atoms.sum()),
        'n_atoms_range': [int(cells.n_atoms.min()), int(cells.n_atoms.max())],
        'energy_per_atom_range_ev': [float(per_atom.min()), float(per_atom.max())],
        'max_force_ev_per_angstrom': float(np.linalg.norm(labelled.forces, axis=1).max()),
        'iterations': sorted({int(iteration) for iteration in labelled.iterations}),
        'origins': dict(Counter(labelled.origins)),
        'content_checksum': digest.hexdigest(),
    }
