"""``anial-worker validate``: errors of an ensemble on labelled configurations."""

from __future__ import annotations

from typing import Any

from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.training.errors import configuration_errors, summarise
from aiida_anial.worker.job import Job, JobInputs, read_shards

__all__ = ('ValidateInputs', 'run')


class ValidateInputs(JobInputs):
    """Content of ``input.json``.

    :param engine: how to evaluate the ensemble.
    """

    engine: EngineSettings = EngineSettings()


def run(job: Job) -> dict[str, Any]:
    """Write the errors of ``ensemble.safetensors`` on the configurations in ``shards/``, and return their summary.

    :raises AnialError: if an input is wrong.
    """
    inputs = job.parse(ValidateInputs)
    data = read_shards(job.directory)
    ensemble = read_potential(job.path('ensemble.safetensors'))
    errors = configuration_errors(ensemble, data, make_engine(ensemble, inputs.engine))
    errors.write(job.path('errors.safetensors'))
    return summarise(errors)
