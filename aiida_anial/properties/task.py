"""What a property asks an engine, and what the engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

__all__ = ('Evaluation', 'Relaxation', 'Task')


class Relaxation(StrEnum):
    """What may move before energy, forces and stress are taken."""

    NONE = 'none'
    POSITIONS = 'positions'
    NORMAL = 'normal'
    """The positions along z alone, as the layers of a generalised stacking fault do."""
    SHAPE = 'shape'
    """The shape of the cell at constant volume, and the positions: c/a."""


@dataclass(frozen=True, eq=False)
class Task:
    """One structure to evaluate.

    :param atoms: aluminium in a cell that is periodic in all directions; a surface has its vacuum in it.
    :param relaxation: what may move first.
    :param group: tasks of one group are compared with each other closely, and DFT uses one mesh of k-points for all.
    """

    atoms: Atoms
    relaxation: Relaxation = Relaxation.NONE
    group: str = ''


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an engine says about one task.

    :param atoms: as the relaxation left them, without calculator.
    :param energy: total energy in eV.
    :param forces: ``[n, 3]`` in eV/angstrom.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension.
    :param member_energies: ``[M]`` total energies by each member of an ensemble for the same atoms, eV; None for what
        is no ensemble.
    :param converged: whether the relaxation ended below its tolerance; true where nothing was relaxed.
    """

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    member_energies: NDArray[np.float64] | None = None
    converged: bool = True

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / len(self.atoms)

    @property
    def volume_per_atom(self) -> float:
        """Volume in angstrom^3/atom."""
        return float(self.atoms.cell.volume) / len(self.atoms)
