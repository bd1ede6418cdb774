"""The job that trains an ensemble on shards of labels."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.worker import CopyList, WorkerCalculation, define_checkpoint
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator, validate_shards
from aiida_anial.potential.settings import PotentialSettings
from aiida_anial.training.settings import TrainingSettings

__all__ = ('TrainEnsembleCalculation',)


class TrainEnsembleCalculation(WorkerCalculation):
    """Train the members of an ensemble (Smith et al., Nat. Commun. 12, 1257 (2021), Eq. 1)."""

    COMMAND = 'train'
    INITIAL = 'initial.safetensors'
    CURVES = 'learning_curves.safetensors'
    ERRORS = 'errors.safetensors'
    RETRIEVE = (WorkerCalculation.CHECKPOINT,)
    RETRIEVE_TEMPORARY = (WorkerCalculation.ENSEMBLE, CURVES, ERRORS)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'shards',
            valid_type=DatasetData,
            dynamic=True,
            validator=validate_shards,
            help='Labels to learn from.',
        )
        spec.input(
            'model',
            valid_type=orm.Dict,
            validator=settings_validator(PotentialSettings, 'model'),
            help='Kind, architecture and number of members of the potential.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(TrainingSettings, 'training'),
            help='Loss, optimiser and stopping of the training.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the initial weights and of the order of the batches.')
        spec.input(
            'initial',
            valid_type=EnsembleData,
            required=False,
            help='Ensemble with the initial weights; by default they are random.',
        )
        define_checkpoint(spec)
        spec.output('ensemble', valid_type=EnsembleData, help='The best state of each member.')
        spec.output(
            'learning_curves',
            valid_type=orm.ArrayData,
            help='Errors by step and member, in meV/atom and eV/angstrom.',
        )
        spec.output(
            'errors', valid_type=orm.ArrayData, help='Errors of each configuration, and its role for each member.'
        )
        spec.output(
            'summary',
            valid_type=orm.Dict,
            help='Errors on the training, validation and test blocks; facts about each member.',
        )
        spec.default_output_node = 'summary'
        spec.exit_code(510, 'ERROR_NOT_TRAINED', message='The ensemble did not train: {reason}')

    def job_inputs(self) -> dict[str, Any]:
        """Return the settings of the model and of the training, and the seed."""
        return {
            'model': self.inputs.model.get_dict(),
            'settings': self.inputs.settings.get_dict(),
            'seed': self.inputs.seed.value,
        }

    def files(self, folder: Folder) -> CopyList:
        """Return the copies of the shards, of the initial ensemble and of the checkpoint."""
        initial: CopyList = []
        if 'initial' in self.inputs:
            initial = [(self.inputs.initial.uuid, EnsembleData.FILENAME, self.INITIAL)]
        return self.shard_files(folder, self.inputs.shards) + initial + self.checkpoint_file()
