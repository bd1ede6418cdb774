"""Settings of a distillation: few networks that learn from an ensemble."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.potential.settings import DescriptorSettings, EngineSettings, ModelSettings, PotentialSettings
from aiida_anial.sampling.frames import FrameSettings
from aiida_anial.training.settings import TrainingSettings

__all__ = ('DistillationSettings',)

Neurons = Annotated[int, Field(ge=1, le=10_000)]


class DistillationSettings(Settings):
    """How networks learn from an ensemble.

    :param frames: frames of trajectories that the ensemble labels.
    :param n_members: networks; one has no disagreement.
    :param angular_cutoff_angstrom: theirs, if that of the ensemble is longer; the angular shifts are scaled to it.
        Triples of atoms take most of the time, and their number grows with its sixth power. None keeps that of the
        ensemble.
    :param hidden_layers: neurons of each of their hidden layers; None for those of the ensemble.
    :param training: loss, optimiser and steps.
    :param engine: threads and precision of the jobs.
    :param job: resources of the jobs.
    """

    frames: FrameSettings = FrameSettings()
    n_members: Annotated[int, Field(ge=1, le=100)] = 1
    angular_cutoff_angstrom: Annotated[Positive, Field(ge=2)] | None = 4.5
    hidden_layers: Annotated[tuple[Neurons, ...], Field(min_length=1)] | None = None
    training: TrainingSettings = TrainingSettings(
        max_steps=10_000,
        batch_size=32,
        learning_rate=0.003,
        force_scale_ev_per_angstrom=0.7,
        final_stress_weight=0.1,
    )
    engine: EngineSettings = EngineSettings()
    job: JobSettings = JobSettings()

    def student(self, teacher: PotentialSettings) -> ModelSettings:
        """Return the model of the networks that learn.

        :param teacher: model of the ensemble.
        :raises SettingsError: if it is of another kind than ``ani``.
        """
        if not isinstance(teacher, ModelSettings):
            raise SettingsError(f'kind: only ensembles of kind ani can be distilled, not {teacher.kind!r}.')
        return teacher.model_copy(
            update={
                'n_members': self.n_members,
                'descriptor': _narrowed(teacher.descriptor, self.angular_cutoff_angstrom),
                'hidden_layers': self.hidden_layers or teacher.hidden_layers,
            }
        )


def _narrowed(descriptor: DescriptorSettings, cutoff: float | None) -> DescriptorSettings:
    """Return the descriptor with a shorter angular cutoff, in angstrom."""
    if cutoff is None or cutoff >= descriptor.angular_cutoff_angstrom:
        return descriptor
    first, *_ = shifts = descriptor.angular_shifts_angstrom
    if first >= cutoff:
        raise SettingsError(f'angular_cutoff_angstrom: {cutoff:g} is not beyond the first angular shift, {first:g}.')
    scale = (cutoff - first) / (descriptor.angular_cutoff_angstrom - first)
    return descriptor.model_copy(
        update={
            'angular_cutoff_angstrom': cutoff,
            'angular_shifts_angstrom': tuple(first + scale * (shift - first) for shift in shifts),
        }
    )
