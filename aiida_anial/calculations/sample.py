"""The job that runs molecular dynamics until the members of an ensemble disagree."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.worker import CopyList, WorkerCalculation, define_checkpoint
from aiida_anial.common.errors import SettingsError
from aiida_anial.common.tensors import tensor_bytes
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_cells
from aiida_anial.data.validation import settings_validator, species_fault, validate_cells
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds

__all__ = ('SampleCalculation',)


class SampleCalculation(WorkerCalculation):
    """Run many Langevin trajectories, each from its own cell, schedule and seed (Smith et al., II.B.3)."""

    COMMAND = 'sample'
    CELLS = 'cells.safetensors'
    TRAJECTORIES = 'trajectories'
    RETRIEVE = (WorkerCalculation.CHECKPOINT,)
    RETRIEVE_TEMPORARY = (TRAJECTORIES,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('ensemble', valid_type=EnsembleData, help='Ensemble whose mean drives the dynamics.')
        spec.input_namespace(
            'cells',
            valid_type=orm.StructureData,
            dynamic=True,
            validator=validate_cells,
            help='Initial cells of the trajectories.',
        )
        spec.input(
            'schedules',
            valid_type=orm.List,
            help='Temperature schedules, one for each cell in the order of their labels.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(SamplingSettings, 'sampling'),
            help='Settings of the dynamics: time step, friction, checks and stored frames.',
        )
        spec.input(
            'thresholds',
            valid_type=orm.Dict,
            validator=settings_validator(Thresholds, 'thresholds'),
            help='Disagreement at which a trajectory stops, in eV/sqrt(atom) and eV/angstrom.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the velocities and of the thermostat.')
        spec.input_namespace(
            'shards',
            valid_type=DatasetData,
            dynamic=True,
            required=False,
            help='Labels from which novelty is measured, if the settings or thresholds limit it.',
        )
        define_checkpoint(spec)
        spec.inputs.validator = cls.validate_inputs
        spec.output_namespace(
            'trajectories', valid_type=orm.TrajectoryData, dynamic=True, help='Stored frames, one node for each cell.'
        )
        spec.output(
            'table', valid_type=orm.Dict, help='Why and when each trajectory stopped, and the disagreement then.'
        )
        spec.default_output_node = 'table'

    @staticmethod
    def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse schedules that are invalid or too few, elements unknown to the ensemble, and missing labels."""
        if 'cells' not in ports or 'schedules' not in ports:
            return None
        schedules = inputs['schedules'].get_list()
        if len(schedules) != len(inputs['cells']):
            return f'schedules: there are {len(schedules)} for {len(inputs["cells"])} cells.'
        try:
            for index, schedule in enumerate(schedules):
                Schedule.parse(schedule, where=f'schedules.{index}')
        except SettingsError as exception:
            return str(exception)
        if 'ensemble' not in ports:
            return None
        settings = SamplingSettings.parse(inputs['settings'].get_dict())
        if settings.compares(Thresholds.parse(inputs['thresholds'].get_dict())) and not inputs.get('shards'):
            return 'shards: the labels so far are needed to measure novelty.'
        return species_fault(inputs['cells'], inputs['ensemble'].elements)

    def job_inputs(self) -> dict[str, Any]:
        """Return the settings, thresholds, schedules and seed."""
        return {
            'settings': self.inputs.settings.get_dict(),
            'thresholds': self.inputs.thresholds.get_dict(),
            'schedules': self.inputs.schedules.get_list(),
            'seed': self.inputs.seed.value,
        }

    def files(self, folder: Folder) -> CopyList:
        """Write the cells, and return the copies of the ensemble, of the labels and of the checkpoint."""
        write_cells(folder, self.CELLS, self.inputs.cells)
        shards = self.inputs.get('shards')
        return self.ensemble_file() + (self.shard_files(folder, shards) if shards else []) + self.checkpoint_file()


def write_cells(folder: Folder, name: str, structures: dict[str, orm.StructureData]) -> None:
    """Write the structures to the file ``name`` of a job, in the order of their labels."""
    with folder.open(name, 'wb') as stream:
        stream.write(tensor_bytes(to_cells(structures).content()))
