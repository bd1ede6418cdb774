"""Labels of many cells from a potential, in one job."""

from __future__ import annotations

from typing import Any, Literal

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.sample import write_cells
from aiida_anial.calculations.worker import CopyList, WorkerCalculation
from aiida_anial.common.settings import Settings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.validation import settings_validator, validate_aluminium

__all__ = ('EvaluateCalculation',)


class _Labeller(Settings):
    """Which potential labels."""

    kind: Literal['emt', 'eam', 'ensemble']


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
        spec.input(
            'labeller',
            valid_type=orm.Dict,
            validator=settings_validator(_Labeller, 'labeller'),
            help='`kind`: `emt`, `eam` (needs `potential`) or `ensemble` (needs `ensemble`).',
        )
        spec.input(
            'potential', valid_type=orm.SinglefileData, required=False, help='EAM file of LAMMPS, alloy or fs style.'
        )
        spec.input('ensemble', valid_type=EnsembleData, required=False, help='The teacher.')
        spec.inputs.validator = cls.validate_inputs
        spec.output(
            'labels',
            valid_type=orm.ArrayData,
            help='`energies` [C] eV, `forces` [N, 3] eV/angstrom, `stresses` [C, 3, 3] eV/angstrom^3.',
        )
        spec.output('rejected', valid_type=orm.Dict, help='Reason by cell label, of those that could not be evaluated.')
        spec.default_output_node = 'rejected'

    @staticmethod
    def validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
        """Refuse a labeller without its file."""
        kind = inputs['labeller'].get('kind') if inputs.get('labeller') is not None else None
        needed = {'eam': 'potential', 'ensemble': 'ensemble'}.get(str(kind))
        if needed is not None and inputs.get(needed) is None:
            return f'{needed}: the labeller `{kind}` needs this input.'
        return None

    def job_inputs(self) -> dict[str, Any]:
        """Return the kind of labeller."""
        return {'labeller': self.inputs.labeller.get_dict()}

    def files(self, folder: Folder) -> CopyList:
        """Write the cells; return the file of the potential."""
        write_cells(folder, self.CELLS, self.inputs.cells)
        if 'potential' in self.inputs:
            name = self.inputs.potential.filename
            style = 'alloy' if name.endswith('alloy') else 'fs'
            return [(self.inputs.potential.uuid, name, f'potential.eam.{style}')]
        return self.ensemble_file() if 'ensemble' in self.inputs else []
