"""``anial-worker sample``: molecular dynamics that stops when the members of the ensemble disagree."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import Field

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.sampler import SamplingInterrupted, sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted, check_species, read_shards

__all__ = ('SampleInputs', 'run')

CELLS_FILE = 'cells.safetensors'
ENSEMBLE_FILE = 'ensemble.safetensors'
CHECKPOINT_FILE = 'checkpoint.safetensors'
TRAJECTORIES = 'trajectories'
SHARDS = 'shards'


class SampleInputs(JobInputs):
    """The keys of ``input.json`` for ``sample``; the classes of the fields describe their parts."""

    settings: SamplingSettings = SamplingSettings()
    thresholds: Thresholds
    schedules: Annotated[tuple[Schedule, ...], Field(min_length=1)]
    engine: EngineSettings = EngineSettings()
    seed: Annotated[int, Field(ge=0)]


def run(job: Job) -> dict[str, Any]:
    """Run the trajectories and write one file for each.

    :return: ``trajectories``, one row for each, in the order of the cells.
    :raises JobInterrupted: if the job was asked to stop, after writing the checkpoint.
    """
    inputs = job.parse(SampleInputs)
    task = SamplingTask(
        Cells.read(job.path(CELLS_FILE)), inputs.schedules, inputs.settings, inputs.thresholds, inputs.seed
    )
    ensemble = read_potential(job.path(ENSEMBLE_FILE))
    check_species(task.cells.species, known=(ensemble.model.element,))
    engine = make_engine(ensemble, inputs.engine)
    compares = inputs.settings.compares(inputs.thresholds)
    try:
        trajectories = sample(
            task,
            engine=engine,
            checkpoint=job.path(CHECKPOINT_FILE),
            fingerprint=_fingerprint(job, inputs),
            interrupted=job.interrupted,
            report=job.report,
            novelty=Novelty(read_shards(job.directory).cells) if compares else None,
        )
    except SamplingInterrupted as exception:
        raise JobInterrupted(f'{exception}.') from exception
    job.path(TRAJECTORIES).mkdir(exist_ok=True)
    for trajectory in trajectories:
        trajectory.write(job.path(TRAJECTORIES) / f'{trajectory.index:03d}.safetensors')
    job.path(CHECKPOINT_FILE).unlink(missing_ok=True)
    return {'trajectories': [trajectory.row() for trajectory in trajectories]}


def _fingerprint(job: Job, inputs: SampleInputs) -> str:
    """Return a digest of all inputs that determine the trajectories; engine, time limit and batch size do not."""
    parts = inputs.model_dump(
        mode='json',
        include={'settings', 'thresholds', 'schedules', 'seed'},
        exclude={'settings': {'batch_size', 'refill'}},
    )
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    shards = sorted(job.path(SHARDS).glob('*.safetensors'))
    for path in (job.path(CELLS_FILE), job.path(ENSEMBLE_FILE), *shards):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
