"""The job that labels many cells with a potential, and the inputs of every job that takes a potential."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.sample import write_cells
from aiida_anial.calculations.worker import CopyList, WorkerCalculation
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator, species_fault, validate_cells
from aiida_anial.potential.source import PotentialSource

__all__ = ('EvaluateCalculation', 'define_labeller', 'labeller_files')


def define_labeller(spec: CalcJobProcessSpec) -> None:
    """Add the inputs ``labeller``, ``potential`` and ``ensemble``, and their validation."""
    spec.input(
        'labeller',
        valid_type=orm.Dict,
        validator=settings_validator(PotentialSource, 'labeller'),
        help='`kind`: `emt`, `eam` (needs `potential`), `ensemble` (needs `ensemble`) or `calculator` (with settings).',
    )
    spec.input(
        'potential', valid_type=orm.SinglefileData, required=False, help='EAM file of LAMMPS, in the style alloy or fs.'
    )
    spec.input('ensemble', valid_type=EnsembleData, required=False, help='Ensemble that computes the labels.')
    spec.inputs.validator = _validate


def labeller_files(inputs: Any) -> CopyList:
    """Return the copy of the potential's file, if it has one, under the name that ``anial-worker`` expects."""
    if 'potential' in inputs:
        name = inputs.potential.filename
        style = 'alloy' if name.endswith('alloy') else 'fs'
        return [(inputs.potential.uuid, name, f'potential.eam.{style}')]
    return [(inputs.ensemble.uuid, EnsembleData.FILENAME, EnsembleData.FILENAME)] if 'ensemble' in inputs else []


def _validate(inputs: dict[str, Any], _: Any) -> str | None:
    """Refuse a labeller without its file, and cells of elements that the ensemble does not describe."""
    kind = inputs['labeller'].get('kind') if inputs.get('labeller') is not None else None
    needed = {'eam': 'potential', 'ensemble': 'ensemble'}.get(str(kind))
    if needed is not None and inputs.get(needed) is None:
        return f'{needed}: the labeller `{kind}` needs this input.'
    # For other labellers, the job itself finds out which elements they describe.
    if kind == 'ensemble' and inputs.get('cells'):
        return species_fault(inputs['cells'], inputs['ensemble'].elements)
    return None


class EvaluateCalculation(WorkerCalculation):
    """Compute energies, forces and stresses of cells with a potential."""

    COMMAND = 'evaluate'
    CELLS = 'cells.safetensors'
    LABELS = 'labels.safetensors'
    RETRIEVE_TEMPORARY = (LABELS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_cells, help='Cells to label.'
        )
        define_labeller(spec)
        spec.output(
            'labels',
            valid_type=orm.ArrayData,
            help='`energies` [C] eV, `forces` [N, 3] eV/angstrom, `stresses` [C, 3, 3] eV/angstrom^3.',
        )
        spec.output(
            'rejected', valid_type=orm.Dict, help='Reasons by the label of the cell, for cells that were rejected.'
        )
        spec.default_output_node = 'rejected'

    def job_inputs(self) -> dict[str, Any]:
        """Return the settings of the labeller."""
        return {'labeller': self.inputs.labeller.get_dict()}

    def files(self, folder: Folder) -> CopyList:
        """Write the cells, and return the copy of the potential's file."""
        write_cells(folder, self.CELLS, self.inputs.cells)
        return labeller_files(self.inputs)
