"""Labels of many cells by a potential, in one job."""

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
    """Add the inputs ``labeller``, ``potential`` and ``ensemble``."""
    spec.input(
        'labeller',
        valid_type=orm.Dict,
        validator=settings_validator(PotentialSource, 'labeller'),
        help='`kind`: `emt`, `eam` (needs `potential`), `ensemble` (needs `ensemble`) or `calculator` (beside it).',
    )
    spec.input(
        'potential', valid_type=orm.SinglefileData, required=False, help='EAM file of LAMMPS, alloy or fs style.'
    )
    spec.input('ensemble', valid_type=EnsembleData, required=False, help='The networks.')
    spec.inputs.validator = _validate


def labeller_files(inputs: Any) -> CopyList:
    """Return the copy of the file of the potential, under the name that the worker knows."""
    if 'potential' in inputs:
        name = inputs.potential.filename
        style = 'alloy' if name.endswith('alloy') else 'fs'
        return [(inputs.potential.uuid, name, f'potential.eam.{style}')]
    return [(inputs.ensemble.uuid, EnsembleData.FILENAME, EnsembleData.FILENAME)] if 'ensemble' in inputs else []


def _validate(inputs: dict[str, Any], _: Any) -> str | None:
    """Refuse a labeller without its file, and elements that an ensemble does not know."""
    kind = inputs['labeller'].get('kind') if inputs.get('labeller') is not None else None
    needed = {'eam': 'potential', 'ensemble': 'ensemble'}.get(str(kind))
    if needed is not None and inputs.get(needed) is None:
        return f'{needed}: the labeller `{kind}` needs this input.'
    # Of the other labellers the job finds out by itself what they know.
    if kind == 'ensemble' and inputs.get('cells'):
        return species_fault(inputs['cells'], inputs['ensemble'].elements)
    return None


class EvaluateCalculation(WorkerCalculation):
    """Energies, forces and stresses of cells from a potential."""

    COMMAND = 'evaluate'
    CELLS = 'cells.safetensors'
    LABELS = 'labels.safetensors'
    RETRIEVE_TEMPORARY = (LABELS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_cells, help='What to label.'
        )
        define_labeller(spec)
        spec.output(
            'labels',
            valid_type=orm.ArrayData,
            help='`energies` [C] eV, `forces` [N, 3] eV/angstrom, `stresses` [C, 3, 3] eV/angstrom^3.',
        )
        spec.output('rejected', valid_type=orm.Dict, help='Reason by cell label, of those that could not be evaluated.')
        spec.default_output_node = 'rejected'

    def job_inputs(self) -> dict[str, Any]:
        """Return the kind of labeller."""
        return {'labeller': self.inputs.labeller.get_dict()}

    def files(self, folder: Folder) -> CopyList:
        """Write the cells; return the file of the potential."""
        write_cells(folder, self.CELLS, self.inputs.cells)
        return labeller_files(self.inputs)
