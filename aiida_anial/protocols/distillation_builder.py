"""From settings to the builder of a distillation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_anial.active_learning.distillation_settings import DistillationSettings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.workchains.distillation import DistillationWorkChain

__all__ = ('distillation_builder',)


def distillation_builder(
    settings: DistillationSettings,
    *,
    seed: int,
    ensemble: EnsembleData,
    trajectories: Sequence[orm.TrajectoryData],
    worker_code: orm.AbstractCode,
) -> ProcessBuilder:
    """Return a builder of ``DistillationWorkChain``; nothing is stored.

    :param ensemble: the ensemble to learn from.
    :param trajectories: trajectories whose frames it labels.
    :param worker_code: code of ``anial-worker``.
    :raises SettingsError: if the ensemble cannot be distilled.
    """
    builder: Any = DistillationWorkChain.get_builder()
    job = {'code': worker_code, 'engine': orm.Dict(settings.engine.to_dict(), label='engine')}
    builder.ensemble = ensemble
    builder.seed = orm.Int(seed)
    builder.label = {
        **job,
        'trajectories': {f'trajectory_{number:05d}': node for number, node in enumerate(trajectories)},
        'frames': orm.Dict(settings.frames.to_dict(), label='frames'),
        'metadata': {'options': settings.job.options()},
    }
    builder.train.worker = {
        **job,
        'model': orm.Dict(settings.student(ensemble.ensemble.model).to_dict(), label='model'),
        'settings': orm.Dict(settings.training.to_dict(), label='training'),
        'metadata': {'options': settings.job.options()},
    }
    builder.validate = {**job, 'metadata': {'options': settings.job.options()}}
    return cast(ProcessBuilder, builder)
