"""Molecular dynamics that stops where the networks disagree."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.worker import CopyList, WorkerCalculation, define_checkpoint
from aiida_anial.common.errors import SettingsError
from aiida_anial.common.tensors import tensor_bytes
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
        spec.input('ensemble', valid_type=EnsembleData, help='The networks that drive the dynamics.')
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_cells, help='Where they start.'
        )
        spec.input('schedules', valid_type=orm.List, help='One temperature schedule a cell, in the order of labels.')
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(SamplingSettings, 'sampling'),
            help='Time step, friction, checks and frames.',
        )
        spec.input(
            'thresholds',
            valid_type=orm.Dict,
            validator=settings_validator(Thresholds, 'thresholds'),
            help='Disagreement at which a trajectory stops: eV/sqrt(atom), eV/angstrom.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the velocities and of the thermostat.')
        define_checkpoint(spec)
        spec.inputs.validator = cls.validate_inputs
        spec.output_namespace(
            'trajectories', valid_type=orm.TrajectoryData, dynamic=True, help='Thinned frames, one node a cell.'
        )
        spec.output('table', valid_type=orm.Dict, help='What happened to each trajectory.')
        spec.default_output_node = 'table'

    @staticmethod
    def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse what is not a schedule, a number of schedules that is not the number of cells, and other elements."""
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
        return None if 'ensemble' not in ports else species_fault(inputs['cells'], inputs['ensemble'].elements)

    def job_inputs(self) -> dict[str, Any]:
        """Return the schedules, thresholds and settings."""
        return {
            'settings': self.inputs.settings.get_dict(),
            'thresholds': self.inputs.thresholds.get_dict(),
            'schedules': self.inputs.schedules.get_list(),
            'seed': self.inputs.seed.value,
        }

    def files(self, folder: Folder) -> CopyList:
        """Write the cells; return the ensemble and the checkpoint."""
        write_cells(folder, self.CELLS, self.inputs.cells)
        return self.ensemble_file() + self.checkpoint_file()


def write_cells(folder: Folder, name: str, structures: dict[str, orm.StructureData]) -> None:
    """Write the structures to the file ``name`` in the order of their labels."""
    with folder.open(name, 'wb') as stream:
        stream.write(tensor_bytes(to_cells(structures).content()))
