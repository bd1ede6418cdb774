"""Labels one by one, and which of them are sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.labelled_cells import LabelledCells

__all__ = ('Label', 'assemble')


@dataclass(frozen=True, eq=False)
class Label:
    """One configuration with its label.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` in angstrom.
    :param energy: total energy in eV.
    :param forces: ``[n, 3]`` in eV/angstrom.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension.
    :param uuid: UUID of the calculation.
    """

    positions: NDArray[np.float64]
    lattice: NDArray[np.float64]
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    uuid: str

    def fault(self, *, max_force: float) -> str | None:
        """Return why the label is not sound, or ``None``.

        :param max_force: largest force on an atom that is physical, in eV/angstrom.
        """
        if not (np.isfinite(self.energy) and np.isfinite(self.forces).all() and np.isfinite(self.stress).all()):
            return 'the energy, a force or the stress is not finite'
        largest = float(np.linalg.norm(self.forces, axis=1).max())
        if largest > max_force:
            return f'unphysical: a force of {largest:.1f} eV/angstrom is above the limit of {max_force:g}'
        return None


def assemble(
    labels: Mapping[str, Label], *, max_force: float, iteration: int, origin: str
) -> tuple[LabelledCells | None, dict[str, str]]:
    """Return the sound labels as one dataset, in the order of their names, and the faults of the others by name.

    :param max_force: largest force on an atom that is physical, in eV/angstrom.
    :param iteration: active-learning iteration, 0 for the initial random dataset.
    :param origin: ``random``, ``active_learning`` or ``imported``.
    """
    faults = {name: fault for name, label in labels.items() if (fault := label.fault(max_force=max_force))}
    sound = [labels[name] for name in sorted(labels) if name not in faults]
    if not sound:
        return None, faults
    dataset = LabelledCells(
        cells=Cells.from_lists([label.positions for label in sound], [label.lattice for label in sound]),
        energies=np.array([label.energy for label in sound]),
        forces=np.concatenate([label.forces for label in sound]),
        stresses=np.stack([label.stress for label in sound]),
        uuids=tuple(label.uuid for label in sound),
        iterations=np.full(len(sound), iteration, dtype=np.int64),
        origins=(origin,) * len(sound),
    )
    return dataset, faults
