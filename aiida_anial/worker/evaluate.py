"""``anial-worker evaluate`` and ``validate``: label cells with a potential, and compare an ensemble with labels."""

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
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted, check_species, read_shards

__all__ = ('EAM_FILES', 'EvaluateInputs', 'ValidateInputs', 'run', 'validate')

_UNITS = {'energy': 'eV', 'force': 'eV/angstrom', 'stress': 'eV/angstrom^3'}
EAM_FILES = ('potential.eam.fs', 'potential.eam.alloy')

# Returns the label of a cell from its positions, lattice and atomic numbers.
Evaluate = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.int16]], Label]


class EvaluateInputs(JobInputs):
    """The keys of ``input.json`` for ``evaluate``.

    :param labeller: potential that computes the labels.
    :param engine: engine of an ensemble; other potentials ignore it.
    :param max_force_ev_per_angstrom: largest force on an atom above which a cell is rejected; null for no limit.
    """

    labeller: PotentialSource
    engine: EngineSettings = EngineSettings()
    max_force_ev_per_angstrom: Positive | None = None


def run(job: Job) -> dict[str, Any]:
    """Label the cells and write ``labels.safetensors``, which contains NaN for rejected cells.

    :return: ``rejected``, the reasons by the number of the cell.
    :raises JobInterrupted: if the job was asked to stop; no label is kept then.
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
    """Return the label, or the reason for rejecting the cell, because one bad cell must not cost the others."""
    try:
        with np.errstate(all='ignore'):
            label = evaluate(*cell)
    except Exception as exception:
        return f'the evaluation failed with {type(exception).__name__}: {exception}'
    return label.fault(max_force=np.inf if max_force is None else max_force) or label


def _labeller(job: Job, inputs: EvaluateInputs) -> Evaluate:
    """Return the function that labels one cell."""
    if inputs.labeller.kind == 'ensemble':
        return _ensemble(job.path('ensemble.safetensors'), inputs.engine)
    if inputs.labeller.kind == 'eam':
        return _eam(job.directory)
    emt = CalculatorSettings.parse({'module': 'ase.calculators.emt', 'class': 'EMT'})
    return partial(_with_calculator, make_calculator(inputs.labeller.calculator or emt))


def _ensemble(path: Path, settings: EngineSettings) -> Evaluate:
    """Return the function that labels a cell with the mean of an ensemble."""
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
    """Return the function that labels a cell with an EAM potential.

    :raises FileFormatError: if its file is missing, or is not an EAM file.
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
            # Beyond the table, the splines extrapolate to arbitrary values.
            raise ValueError(f'an electron density of {density:.3g} is beyond the table of the potential')
        return label

    return evaluate


def _with_calculator(
    calculator: BaseCalculator,
    positions: NDArray[np.float64],
    lattice: NDArray[np.float64],
    species: NDArray[np.int16],
) -> Label:
    """Return the label of a cell, computed with an ASE calculator."""
    atoms = Atoms(numbers=species, positions=positions, cell=lattice, pbc=True, calculator=calculator)
    energy, forces = float(atoms.get_potential_energy()), np.asarray(atoms.get_forces())
    stress = np.asarray(atoms.get_stress(voigt=False))
    return Label(positions, lattice, species, energy, forces, stress, uuid='')


class ValidateInputs(JobInputs):
    """The keys of ``input.json`` for ``validate``.

    :param engine: engine that evaluates the ensemble.
    """

    engine: EngineSettings = EngineSettings()


def validate(job: Job) -> dict[str, Any]:
    """Write the errors of ``ensemble.safetensors`` on the configurations in ``shards/``, and return their summary.

    :raises AnialError: if an input is wrong.
    """
    from aiida_anial.potential.engine import make_engine
    from aiida_anial.potential.potential import read_potential

    # Loads scipy.stats, which `evaluate` does without.
    from aiida_anial.training.calibration import summarise_fresh
    from aiida_anial.training.errors import configuration_errors

    inputs = job.parse(ValidateInputs)
    data = read_shards(job.directory)
    ensemble = read_potential(job.path('ensemble.safetensors'))
    errors = configuration_errors(ensemble, data, make_engine(ensemble, inputs.engine))
    errors.write(job.path('errors.safetensors'))
    return summarise_fresh(errors)
