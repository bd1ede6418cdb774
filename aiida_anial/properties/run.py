"""A property from its tasks to its result, evaluated by an ASE calculator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.constraints import FixCartesian
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE, BFGSLineSearch

from aiida_anial.properties.lattice import (
    analyse_lattice,
    fitted_lattice_constant,
    lattice_tasks,
    relaxed_lattice_constant,
)
from aiida_anial.properties.property import Evaluation, PropertyResult, Relaxation, Task
from aiida_anial.properties.registry import make_property
from aiida_anial.properties.settings import LATTICE, BenchmarkSettings

__all__ = ('FORCE_TOLERANCE_EV_PER_ANGSTROM', 'evaluate', 'evaluate_all', 'run_properties')

FORCE_TOLERANCE_EV_PER_ANGSTROM = 1e-3
_MAX_STEPS = 500


def evaluate_all(tasks: Mapping[str, Task], calculator: Calculator) -> dict[str, Evaluation]:
    """Return what ``calculator`` says about each task, by name."""
    return {name: evaluate(task, calculator) for name, task in tasks.items()}


def evaluate(task: Task, calculator: Calculator) -> Evaluation:
    """Return what ``calculator`` says about one task, relaxed as it asks.

    Relaxations go on until no force is above 1 meV/angstrom, or for 500 steps.
    """
    atoms = task.atoms.copy()
    atoms.calc = calculator
    converged = _relax(atoms, task.relaxation)
    energy = float(atoms.get_potential_energy())
    forces = np.asarray(atoms.get_forces(apply_constraint=False))
    stress = np.asarray(atoms.get_stress(voigt=False, apply_constraint=False))
    members = calculator.results.get('member_energies')
    atoms.calc = None
    atoms.set_constraint()
    return Evaluation(atoms, energy, forces, stress, None if members is None else np.asarray(members), converged)


def _relax(atoms: Atoms, relaxation: Relaxation) -> bool:
    """Move what may move; return whether that ended well."""
    if relaxation == Relaxation.NONE:
        return True
    moving: Any = atoms
    if relaxation == Relaxation.NORMAL:
        atoms.set_constraint(FixCartesian(range(len(atoms)), mask=(True, True, False)))
    elif relaxation == Relaxation.SHAPE:
        moving = FrechetCellFilter(atoms, constant_volume=True)
    # A line search is fast but gives up on the small ripples of a network; FIRE does not.
    for optimizer in (BFGSLineSearch, FIRE):
        try:
            if optimizer(moving, logfile=None).run(fmax=FORCE_TOLERANCE_EV_PER_ANGSTROM, steps=_MAX_STEPS):
                return True
        except (RuntimeError, ValueError, np.linalg.LinAlgError):
            continue
    return False


def run_properties(
    names: Iterable[str],
    settings: BenchmarkSettings,
    calculator: Calculator,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, PropertyResult]:
    """Return what ``calculator`` has of some properties, by name.

    They start from the minimum of its own energy, not from that of a fit: the curve of a network has ripples, and
    elastic constants beside the minimum of the ripple would be those of a crystal under stress.

    :param report: is given a line on each property.
    :raises AnialError: if nothing follows for a property, in one sentence.
    """
    evaluations = evaluate_all(lattice_tasks(settings.lattice), calculator)
    lattice_constant = relaxed_lattice_constant(calculator, fitted_lattice_constant(evaluations))
    report(f'lattice: {lattice_constant:.4f} angstrom')
    results = {}
    for name in dict.fromkeys(names):
        if name == LATTICE:
            results[name] = analyse_lattice(lattice_constant, evaluations)
            continue
        one = make_property(name, settings)
        tasks = one.tasks(lattice_constant)
        report(f'{name}: {len(tasks)} structures')
        results[name] = one.analyse(lattice_constant, evaluate_all(tasks, calculator))
    return results
