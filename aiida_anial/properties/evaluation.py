"""Structures to evaluate, and the results of an ASE calculator for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

__all__ = ('FORCE_TOLERANCE_EV_PER_ANGSTROM', 'Evaluation', 'Relaxation', 'Task', 'evaluate', 'evaluate_all')

FORCE_TOLERANCE_EV_PER_ANGSTROM = 1e-3
_MAX_STEPS = 500
_MEMBER_STRESSES = 'member_stresses'


class Relaxation(StrEnum):
    """Degrees of freedom that are relaxed before energy, forces and stress are computed."""

    NONE = 'none'
    POSITIONS = 'positions'
    NORMAL = 'normal'
    """Positions along z only, for the layers of a generalised stacking fault."""
    SHAPE = 'shape'
    """Positions, and the shape of the cell (c/a) at constant volume."""


@dataclass(frozen=True, eq=False)
class Task:
    """One structure to evaluate.

    :param atoms: aluminium in a cell that is periodic in all directions; cells of surfaces contain vacuum.
    :param relaxation: what is relaxed first.
    :param group: name of a group of tasks whose energies are subtracted; DFT uses the same k-point mesh for all.
    :param member_stresses: whether the stresses of the members are needed, too.
    """

    atoms: Atoms
    relaxation: Relaxation = Relaxation.NONE
    group: str = ''
    member_stresses: bool = False


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result for one task.

    :param atoms: relaxed structure, without calculator.
    :param energy: total energy in eV.
    :param forces: ``[n, 3]`` in eV/angstrom.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension.
    :param member_energies: ``[M]`` total energies by each member of an ensemble for the same atoms, eV; None without an
        ensemble.
    :param converged: whether the relaxation reached its tolerance; true if nothing was relaxed.
    :param member_stresses: ``[M, 3, 3]`` in eV/angstrom^3, if the task needs them and there is an ensemble.
    """

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    member_energies: NDArray[np.float64] | None = None
    converged: bool = True
    member_stresses: NDArray[np.float64] | None = None

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / len(self.atoms)

    @property
    def volume_per_atom(self) -> float:
        """Volume in angstrom^3/atom."""
        return float(self.atoms.cell.volume) / len(self.atoms)


def evaluate_all(tasks: Mapping[str, Task], calculator: Calculator) -> dict[str, Evaluation]:
    """Evaluate all tasks, and return the results by name."""
    return {name: evaluate(task, calculator) for name, task in tasks.items()}


def evaluate(task: Task, calculator: Calculator) -> Evaluation:
    """Relax and evaluate the structure of one task.

    Relaxations end when no force is above 1 meV/angstrom, or after 500 steps.
    """
    atoms = task.atoms.copy()
    atoms.calc = calculator
    converged = _relax(atoms, task.relaxation)
    energy = float(atoms.get_potential_energy())
    forces = np.asarray(atoms.get_forces(apply_constraint=False))
    stress = np.asarray(atoms.get_stress(voigt=False, apply_constraint=False))
    members = calculator.results.get('member_energies')
    stresses = None
    if task.member_stresses and _MEMBER_STRESSES in calculator.implemented_properties:
        stresses = np.asarray(calculator.get_property(_MEMBER_STRESSES, atoms))
    atoms.calc = None
    atoms.set_constraint()
    energies = None if members is None else np.asarray(members)
    return Evaluation(atoms, energy, forces, stress, energies, converged, stresses)


def _relax(atoms: Atoms, relaxation: Relaxation) -> bool:
    """Relax ``atoms``, and return whether the relaxation converged."""
    if relaxation == Relaxation.NONE:
        return True
    # Imported only here: scipy.optimize takes a second to load, too long for commands that only list properties.
    from ase.constraints import FixCartesian
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE, BFGSLineSearch

    moving: Any = atoms
    if relaxation == Relaxation.NORMAL:
        atoms.set_constraint(FixCartesian(range(len(atoms)), mask=(True, True, False)))
    elif relaxation == Relaxation.SHAPE:
        moving = FrechetCellFilter(atoms, constant_volume=True)
    # A line search is fast, but fails on the small ripples of a network; FIRE does not.
    for optimizer in (BFGSLineSearch, FIRE):
        try:
            if optimizer(moving, logfile=None).run(fmax=FORCE_TOLERANCE_EV_PER_ANGSTROM, steps=_MAX_STEPS):
                return True
        except (RuntimeError, ValueError, np.linalg.LinAlgError):
            continue
    return False
