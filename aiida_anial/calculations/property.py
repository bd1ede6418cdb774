"""The job that computes one property of a potential."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.folders import Folder
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.evaluate import define_labeller, labeller_files
from aiida_anial.calculations.worker import CopyList, WorkerCalculation, define_checkpoint
from aiida_anial.data.validation import settings_validator, validate_property
from aiida_anial.properties.registry import BenchmarkSettings

__all__ = ('PropertyCalculation',)


class PropertyCalculation(WorkerCalculation):
    """Compute a property of EMT, an EAM file or an ensemble, from the structures to the analysis in one job."""

    # Increase this whenever a property gets other results from the same inputs.
    CACHE_VERSION = 3

    COMMAND = 'property'
    CURVES = 'curves.safetensors'
    RETRIEVE = (WorkerCalculation.CHECKPOINT,)
    RETRIEVE_TEMPORARY = (CURVES,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('property', valid_type=orm.Str, validator=validate_property, help='Name of the property.')
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(BenchmarkSettings, 'settings'),
            help='Settings of the property and of those that it starts from, such as the lattice constant.',
        )
        define_labeller(spec)
        define_checkpoint(spec)
        spec.output(
            'quantities', valid_type=orm.Dict, help='`quantities`: value, unit and uncertainty by name; `notes`.'
        )
        spec.output('curves', valid_type=orm.ArrayData, help='Arrays by name; each name ends in the unit.')
        spec.default_output_node = 'quantities'

    def job_inputs(self) -> dict[str, Any]:
        """Return the property, its settings and those of the labeller."""
        return {
            'property': self.inputs.property.value,
            'settings': self.inputs.settings.get_dict(),
            'labeller': self.inputs.labeller.get_dict(),
        }

    def files(self, folder: Folder) -> CopyList:  # noqa: ARG002 - nothing is written
        """Return the copies of the potential's file and of the checkpoint."""
        return labeller_files(self.inputs) + self.checkpoint_file()
