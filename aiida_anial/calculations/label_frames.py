"""The job that labels frames of trajectories with an ensemble."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.calculations.worker import CopyList, WorkerCalculation
from aiida_anial.common.cells import Cells
from aiida_anial.common.tensors import tensor_bytes
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.frames import drawn_cells
from aiida_anial.data.validation import settings_validator
from aiida_anial.sampling.frames import FrameSettings

__all__ = ('LabelFramesCalculation',)


class LabelFramesCalculation(WorkerCalculation):
    """Draw frames of trajectories, and compute their energies, forces and stresses with an ensemble.

    Thousands of labels that cost seconds are no nodes of their own: the inputs say which frames they are.
    """

    COMMAND = EvaluateCalculation.COMMAND
    RETRIEVE_TEMPORARY = EvaluateCalculation.RETRIEVE_TEMPORARY

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.inputs['metadata']['options']['parser_name'].default = 'anial.label_frames'
        spec.input('ensemble', valid_type=EnsembleData, help='Ensemble that computes the labels.')
        spec.input_namespace(
            'trajectories',
            valid_type=orm.TrajectoryData,
            dynamic=True,
            validator=cls.validate_trajectories,
            help='Trajectories whose frames are drawn.',
        )
        spec.input(
            'frames',
            valid_type=orm.Dict,
            validator=settings_validator(FrameSettings, 'frames'),
            help='`n_frames` to learn from, and `n_test_frames` of other trajectories.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the draw.')
        spec.output('learn', valid_type=DatasetData, help='Labelled frames to learn from.')
        spec.output('test', valid_type=DatasetData, help='Labelled frames of other trajectories.')
        spec.output('rejected', valid_type=orm.Dict, help='Reasons by frame, for those without a sound label.')
        spec.default_output_node = 'rejected'

    @staticmethod
    def validate_trajectories(trajectories: dict[str, Any] | None, _: Any) -> str | None:
        """Refuse fewer trajectories than are needed to learn from some and test on others."""
        return 'trajectories: at least two are needed.' if trajectories and len(trajectories) < 2 else None

    def job_inputs(self) -> dict[str, Any]:
        """Return the settings of the labeller."""
        return {'labeller': {'kind': 'ensemble'}}

    def files(self, folder: Folder) -> CopyList:
        """Write the frames, and return the copy of the ensemble."""
        settings = FrameSettings.parse(self.inputs.frames.get_dict())
        parts = drawn_cells(self.inputs.trajectories, settings, seed=self.inputs.seed.value)
        positions, lattices, species = zip(
            *(one for part in parts.values() for one in part.cells.configurations()), strict=True
        )
        cells = Cells.from_lists(positions, lattices, species=species)
        with folder.open(EvaluateCalculation.CELLS, 'wb') as stream:
            stream.write(tensor_bytes(cells.content()))
        return self.ensemble_file()
