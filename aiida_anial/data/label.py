"""One label as a node to query, and the outputs of every process that collects a shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from aiida.orm import Data
from ase import units
from ase.data import atomic_masses
from ase.symbols import Symbols
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import Label, LabelledCells, assemble
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.training.splits import block_of

__all__ = ('LabelData', 'shard_outputs')

_G_PER_CM3 = 1.0 / units.mol * 1e24


class LabelData(Data):
    """One labelled configuration, as attributes by which the database can filter and sort.

    Positions, forces and stress are in row ``row`` of the shard, which is the output ``dataset`` of the same process.

    Attributes: ``row``; ``calculation``, the UUID of the process that computed it; ``iteration``; ``origin``;
    ``formula``, such as ``Al31Cu``; ``n_atoms``; ``volume_angstrom3``; ``density_g_per_cm3``; ``energy_ev``;
    ``energy_per_atom_ev``; ``max_force_ev_per_angstrom``, the length of the largest force on an atom;
    ``pressure_gpa``, positive in compression; ``content_hash``; ``split_block``, 0 to 15; ``kpoints``, such as
    ``2x2x3``; ``level_of_theory``.
    """

    def __init__(self, attributes: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if attributes is not None:
            self.base.attributes.set_many(attributes)

    @classmethod
    def of_shard(
        cls, labelled: LabelledCells, theory: LevelOfTheory | None, kpoints: list[str | None] | None = None
    ) -> list[Self]:
        """Return one node for every configuration of a shard, in its order.

        :param kpoints: mesh of each configuration; None if it has none.
        """
        cells = labelled.cells
        forces = np.linalg.norm(labelled.forces, axis=1)
        largest = np.maximum.reduceat(forces, cells.offsets[:-1])
        densities = _masses(cells) / cells.volumes * _G_PER_CM3
        pressures = -np.trace(labelled.stresses, axis1=1, axis2=2) / 3 / units.GPa
        described = theory.to_dict() if theory is not None else None
        return [
            cls(
                {
                    'row': row,
                    'calculation': labelled.uuids[row],
                    'iteration': int(labelled.iterations[row]),
                    'origin': labelled.origins[row],
                    'formula': Symbols(cells.species_of(row)).get_chemical_formula(),
                    'n_atoms': int(cells.n_atoms[row]),
                    'volume_angstrom3': float(cells.volumes[row]),
                    'density_g_per_cm3': float(densities[row]),
                    'energy_ev': float(labelled.energies[row]),
                    'energy_per_atom_ev': float(labelled.energies[row] / cells.n_atoms[row]),
                    'max_force_ev_per_angstrom': float(largest[row]),
                    'pressure_gpa': float(pressures[row]),
                    'content_hash': content,
                    'split_block': block_of(content),
                    'kpoints': kpoints[row] if kpoints else None,
                    'level_of_theory': described,
                }
            )
            for row, content in enumerate(labelled.hashes())
        ]


def _masses(cells: Cells) -> NDArray[np.float64]:
    """Return ``[C]`` the molar mass of each cell, in g/mol."""
    masses = np.zeros(len(cells))
    # Summing by element makes the mass of a cell of one element exactly the number of atoms times the atomic mass.
    for number in np.unique(cells.species):
        masses += np.add.reduceat(np.int64(cells.species == number), cells.offsets[:-1]) * atomic_masses[number]
    return masses


def shard_outputs(
    labels: Mapping[str, Label],
    *,
    max_force: float,
    source: Mapping[str, Any],
    theory: LevelOfTheory | None,
    kpoints: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the outputs ``dataset`` and ``labels``, and the faults of the rejected labels by name.

    Without a valid label there are no outputs.

    :param labels: labels by name.
    :param max_force: a label with a larger force on an atom is rejected as unphysical, in eV/angstrom.
    :param source: ``iteration`` and ``origin`` of the labels.
    :param kpoints: mesh by name.
    """
    dataset, faults = assemble(labels, max_force=max_force, iteration=source['iteration'], origin=source['origin'])
    if dataset is None:
        return {}, faults
    names = [name for name in sorted(labels) if name not in faults]
    nodes = LabelData.of_shard(dataset, theory, [kpoints.get(name) for name in names] if kpoints else None)
    return {'dataset': DatasetData(dataset, theory), 'labels': dict(zip(names, nodes, strict=True))}, faults
