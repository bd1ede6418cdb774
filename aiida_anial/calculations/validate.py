"""Errors of an ensemble on labels that it may not have seen."""

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
    """Compare an ensemble with labels, beside the disagreement that it claims."""

    COMMAND = 'validate'
    ERRORS = 'errors.safetensors'
    RETRIEVE_TEMPORARY = (ERRORS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('ensemble', valid_type=EnsembleData, help='The networks.')
        spec.input_namespace(
            'shards',
            valid_type=DatasetData,
            dynamic=True,
            validator=validate_shards,
            help='The labels, one node a shard.',
        )
        spec.output('errors', valid_type=orm.ArrayData, help='Errors and disagreement by configuration.')
        spec.output('summary', valid_type=orm.Dict, help='Their means, in meV/atom and eV/angstrom.')
        spec.default_output_node = 'summary'

    def job_inputs(self) -> dict[str, Any]:
        """Return nothing: the files say it all."""
        return {}

    def files(self, folder: Folder) -> CopyList:
        """Return the ensemble and the shards."""
        return self.ensemble_file() + self.shard_files(folder, self.inputs.shards)
