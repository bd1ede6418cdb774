"""``anial-worker evaluate``: labels of cells from a cheap potential or from an ensemble."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.labels import Label
from aiida_anial.common.settings import Positive
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.source import CalculatorSettings, PotentialSource, make_calculator
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted, check_species

__all__ = ('EAM_FILES', 'EvaluateInputs', 'run')

_UNITS = {'energy': 'eV', 'force': 'eV/angstrom', 'stress': 'eV/angstrom^3'}
EAM_FILES = ('potential.eam.fs', 'potential.eam.alloy')

# Positions, lattice and atomic numbers of a cell to its label.
Evaluate = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.int16]], Label]


class EvaluateInputs(JobInputs):
    """What ``input.json`` holds.

    :param labeller: what computes the labels.
    :param engine: for an ensemble.
    :param max_force_ev_per_angstrom: a cell with a larger force on an atom is rejected; null: none is for that.
    """

    labeller: PotentialSource
    engine: EngineSettings = EngineSettings()
    max_force_ev_per_angstrom: Positive | None = None


def run(job: Job) -> dict[str, Any]:
    """Label the cells and write ``labels.safetensors``, NaN where a cell was rejected.

    :return: ``rejected``: reason by the number of the cell.
    :raises JobInterrupted: without any label kept.
    """
    inputs = job.parse(EvaluateInputs)
    cells = Cells.read(job.path('cells.safetensors'))
    evaluate = _labeller(job, inputs)
    energies, stresses = np.full(len(cells), np.nan), np.full((len(cells), 3, 3), np.nan)
    forces = np.full((len(cells.positions), 3), np.nan)
    rejected: dict[int, str] = {}
    for index, cell in enumerate(cells.configurations()):
        if job.interrupted():
            raise JobInterrupted(f'interrupted after {index} of {len(cells)} cells, nothing is kept.')
        label = _try_evaluate(evaluate, cell, inputs.max_force_ev_per_angstrom)
        if isinstance(label, str):
            rejected[index] = label
            job.report(f'cell {index} rejected: {label}')
            continue
        energies[index], stresses[index] = label.energy, label.stress
        forces[cells.offsets[index] : cells.offsets[index + 1]] = label.forces
    arrays = {
        'energies': energies,
        'forces': forces,
        'stresses': stresses,
        'accepted': np.array([index not in rejected for index in range(len(cells))], dtype=np.uint8),
    }
    metadata = {'units': _UNITS, 'labeller': inputs.labeller.to_dict()}
    write_tensors(job.path('labels.safetensors'), TensorFile('labels', 1, metadata, arrays))
    return {'rejected': {str(index): reason for index, reason in rejected.items()}}


def _try_evaluate(
    evaluate: Evaluate,
    cell: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int16]],
    max_force: float | None,
) -> Label | str:
    """Return the label, or why there is none: one bad cell must not cost the others."""
    try:
        with np.errstate(all='ignore'):
            label = evaluate(*cell)
    except Exception as exception:
        return f'the evaluation failed with {type(exception).__name__}: {exception}'
    return label.fault(max_force=np.inf if max_force is None else max_force) or label


def _labeller(job: Job, inputs: EvaluateInputs) -> Evaluate:
    """Return what labels one cell."""
    if inputs.labeller.kind == 'ensemble':
        return _ensemble(job.path('ensemble.safetensors'), inputs.engine)
    if inputs.labeller.kind == 'eam':
        return _eam(job.directory)
    emt = CalculatorSettings.parse({'module': 'ase.calculators.emt', 'class': 'EMT'})
    return partial(_with_calculator, make_calculator(inputs.labeller.calculator or emt))


def _ensemble(path: Path, settings: EngineSettings) -> Evaluate:
    """Return the labeller that is an ensemble, its mean."""
    from aiida_anial.potential.engine import make_engine
    from aiida_anial.potential.potential import read_potential

    ensemble = read_potential(path)
    engine = make_engine(ensemble, settings)

    def evaluate(positions: NDArray[np.float64], lattice: NDArray[np.float64], species: NDArray[np.int16]) -> Label:
        check_species(species, known=(ensemble.model.element,))
        cell = Cells.from_lists([positions], [lattice], species=[species])
        prediction = engine.evaluate(cell, forces=True, stress=True)
        assert prediction.forces is not None
        assert prediction.stresses is not None
        energy = float(prediction.energies[0])
        return Label(positions, lattice, species, energy, prediction.forces, prediction.stresses[0], uuid='')

    return evaluate


def _eam(directory: Path) -> Evaluate:
    """Return the labeller that is an EAM potential.

    :raises FileFormatError: if there is no file of one, or it is not one with aluminium.
    """
    from aiida_anial.potential.source import read_eam

    paths = [directory / name for name in EAM_FILES if (directory / name).is_file()]
    if not paths:
        raise FileFormatError(f'{directory}: the labeller eam needs {" or ".join(EAM_FILES)}.')
    calculator = read_eam(paths[0])

    def evaluate(positions: NDArray[np.float64], lattice: NDArray[np.float64], species: NDArray[np.int16]) -> Label:
        check_species(species, known=calculator.elements)
        label = _with_calculator(calculator, positions, lattice, species)
        density = float(calculator.total_density.max())
        if density > calculator.rho[-1]:
            # Its splines go on beyond the table, to any value whatever.
            raise ValueError(f'an electron density of {density:.3g} is beyond the table of the potential')
        return label

    return evaluate


def _with_calculator(
    calculator: BaseCalculator,
    positions: NDArray[np.float64],
    lattice: NDArray[np.float64],
    species: NDArray[np.int16],
) -> Label:
    """Return the label by one of ASE's calculators."""
    atoms = Atoms(numbers=species, positions=positions, cell=lattice, pbc=True, calculator=calculator)
    energy, forces = float(atoms.get_potential_energy()), np.asarray(atoms.get_forces())
    stress = np.asarray(atoms.get_stress(voigt=False))
    return Label(positions, lattice, species, energy, forces, stress, uuid='')
