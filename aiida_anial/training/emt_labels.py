"""Labels by ASE's EMT, for trials and measurements that need some."""

from __future__ import annotations

from uuid import UUID

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells

__all__ = ('emt_labels',)


def emt_labels(cells: Cells) -> LabelledCells:
    """Return ``cells`` with energies, forces and stresses by ASE's EMT, which stands in for PBE.

    EMT is an effective-medium potential with aluminium among its elements. The cost of a training does not depend on
    the labels, and EMT needs neither a download nor ``pw.x``.
    """
    energies, forces, stresses = [], [], []
    for positions, lattice, species in cells.configurations():
        atoms = Atoms(species, positions=positions, cell=lattice, pbc=True, calculator=EMT())
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
        stresses.append(atoms.get_stress(voigt=False))
    return LabelledCells(
        cells=cells,
        energies=np.array(energies),
        forces=np.concatenate(forces),
        stresses=np.array(stresses),
        uuids=tuple(str(UUID(int=index)) for index in range(len(cells))),
        iterations=np.zeros(len(cells), dtype=np.int64),
        origins=('random',) * len(cells),
    )
