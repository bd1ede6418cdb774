"""Labels of many cells from a potential, in one job."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.labeller import define_labeller, labeller_files
from aiida_anial.calculations.sample import write_cells
from aiida_anial.calculations.worker import CopyList, WorkerCalculation
from aiida_anial.validation import validate_aluminium

__all__ = ('EvaluateCalculation',)


class EvaluateCalculation(WorkerCalculation):
    """Energies, forces and stresses of cells from EMT, an EAM file, or a trained ensemble."""

    COMMAND = 'evaluate'
    CELLS = 'cells.safetensors'
    LABELS = 'labels.safetensors'
    RETRIEVE_TEMPORARY = (LABELS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_aluminium, help='What to label.'
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
