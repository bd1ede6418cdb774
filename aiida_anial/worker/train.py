"""``anial-worker train``: an ensemble from labelled configurations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from aiida_anial.potential.engine import EngineSettings
from aiida_anial.potential.ensemble import read_ensemble, write_ensemble
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.settings import TrainingInterrupted, TrainingSettings
from aiida_anial.training.trainer import train_ensemble
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted, read_shards

__all__ = ('TrainInputs', 'run')

_INITIAL = 'initial.safetensors'
_CHECKPOINT = 'checkpoint.safetensors'


class TrainInputs(JobInputs):
    """Content of ``input.json``.

    :param model: architecture of the ensemble.
    :param settings: how to train it.
    :param engine: precision, device and threads.
    :param seed: of every random number.
    """

    model: ModelSettings = ModelSettings()
    settings: TrainingSettings = TrainingSettings()
    engine: EngineSettings = EngineSettings()
    seed: Annotated[int, Field(ge=0)]


def run(job: Job) -> dict[str, Any]:
    """Train an ensemble, write it with its learning curves and errors, and return the summary.

    :raises JobInterrupted: if the job was asked to stop; ``checkpoint.safetensors`` is there unless not a step was
        taken.
    :raises AnialError: if an input is wrong or the training fails.
    """
    inputs = job.parse(TrainInputs)
    initial = job.path(_INITIAL)
    try:
        result = train_ensemble(
            read_shards(job.directory),
            model=inputs.model,
            settings=inputs.settings,
            seed=inputs.seed,
            initial=read_ensemble(initial) if initial.exists() else None,
            checkpoint=job.path(_CHECKPOINT),
            interrupted=job.interrupted,
            report=job.report,
            engine=inputs.engine,
        )
    except TrainingInterrupted as exception:
        raise JobInterrupted(f'training {exception}') from exception
    write_ensemble(job.path('ensemble.safetensors'), result.ensemble)
    result.learning_curves.write(job.path('learning_curves.safetensors'))
    result.errors.write(job.path('errors.safetensors'))
    job.path(_CHECKPOINT).unlink(missing_ok=True)
    return result.summary
