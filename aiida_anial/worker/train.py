"""``anial-worker train``: train a potential on labelled configurations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from aiida_anial.potential.potential import read_potential, write_potential
from aiida_anial.potential.settings import AnyPotentialSettings, EngineSettings, ModelSettings
from aiida_anial.training.settings import TrainingInterrupted, TrainingSettings
from aiida_anial.training.trainers import trainer_of
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted, read_shards

__all__ = ('TrainInputs', 'run')

_INITIAL = 'initial.safetensors'
_CHECKPOINT = 'checkpoint.safetensors'


class TrainInputs(JobInputs):
    """The keys of ``input.json`` for ``train``.

    :param model: kind and architecture of the potential.
    :param settings: settings of the training.
    :param engine: precision, device and threads.
    :param seed: seed of all random draws.
    """

    model: AnyPotentialSettings = ModelSettings()
    settings: TrainingSettings = TrainingSettings()
    engine: EngineSettings = EngineSettings()
    seed: Annotated[int, Field(ge=0)]


def run(job: Job) -> dict[str, Any]:
    """Train a potential, write it with its learning curves and errors, and return the summary.

    :raises JobInterrupted: if the job was asked to stop; ``checkpoint.safetensors`` exists if at least one step was
        done.
    :raises AnialError: if an input is wrong or the training fails.
    """
    inputs = job.parse(TrainInputs)
    initial = job.path(_INITIAL)
    try:
        result = trainer_of(inputs.model.kind)(
            read_shards(job.directory),
            model=inputs.model,
            settings=inputs.settings,
            seed=inputs.seed,
            initial=read_potential(initial) if initial.exists() else None,
            checkpoint=job.path(_CHECKPOINT),
            interrupted=job.interrupted,
            report=job.report,
            engine=inputs.engine,
        )
    except TrainingInterrupted as exception:
        raise JobInterrupted(f'training {exception}') from exception
    write_potential(job.path('ensemble.safetensors'), result.ensemble)
    result.learning_curves.write(job.path('learning_curves.safetensors'))
    result.errors.write(job.path('errors.safetensors'))
    job.path(_CHECKPOINT).unlink(missing_ok=True)
    return result.summary
