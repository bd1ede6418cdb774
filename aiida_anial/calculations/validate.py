"""The job that computes the errors of an ensemble on labels."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.worker import CopyList, WorkerCalculation
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import validate_shards

__all__ = ('ValidateCalculation',)


class ValidateCalculation(WorkerCalculation):
    """Compute the errors of an ensemble on labels, such as new ones, with the disagreement of its members."""

    COMMAND = 'validate'
    ERRORS = 'errors.safetensors'
    RETRIEVE_TEMPORARY = (ERRORS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('ensemble', valid_type=EnsembleData, help='Ensemble to validate.')
        spec.input_namespace(
            'shards',
            valid_type=DatasetData,
            dynamic=True,
            validator=validate_shards,
            help='Labels to compare with.',
        )
        spec.output('errors', valid_type=orm.ArrayData, help='Errors and disagreement of each configuration.')
        spec.output(
            'summary', valid_type=orm.Dict, help='Mean errors over all configurations, in meV/atom and eV/angstrom.'
        )
        spec.default_output_node = 'summary'

    def job_inputs(self) -> dict[str, Any]:
        """Return no inputs; all are in the files."""
        return {}

    def files(self, folder: Folder) -> CopyList:
        """Return the copies of the ensemble and of the shards."""
        return self.ensemble_file() + self.shard_files(folder, self.inputs.shards)
