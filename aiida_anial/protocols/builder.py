"""From the inputs of a campaign to the builder of its work chain."""

from __future__ import annotations

from typing import Any, cast

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.properties.registry import benchmark_set
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain

__all__ = ('campaign_builder',)


def campaign_builder(inputs: CampaignInputs, *, worker_code: orm.AbstractCode, **nodes: Any) -> ProcessBuilder:
    """Return a builder of ``ActiveLearningWorkChain``; nothing is stored.

    :param worker_code: runs ``anial-worker``.
    :param nodes: codes and data that the labeller needs: ``pw_code`` and ``pseudo`` for ``qe``, ``potential`` for
        ``eam``, ``teacher`` for ``ensemble``.
    :raises AnialError: if a node that the labeller needs is missing.
    """
    builder: Any = ActiveLearningWorkChain.get_builder()
    engine = orm.Dict(inputs.engine.to_dict())
    worker = {'code': worker_code, 'engine': engine}
    builder.settings = orm.Dict(inputs.to_dict())
    builder.seed = orm.Int(inputs.seed)
    builder.campaign = orm.Dict(inputs.campaign.to_dict())
    builder.threshold_rule = orm.Dict(inputs.thresholds.to_dict())
    builder.warm_start = orm.Bool(inputs.training.warm_start)
    builder.training = {
        stage: orm.Dict(settings.to_dict())
        for stage in ('initial', 'retrain', 'final')
        if (settings := getattr(inputs.training, stage)) is not None
    }
    builder.train.worker = {
        **worker,
        'model': orm.Dict(inputs.model.to_dict()),
        'metadata': {'options': inputs.training.job.options()},
    }
    builder.validate = {**worker, 'metadata': {'options': inputs.training.job.options()}}
    builder.cycle.cell_settings = orm.Dict(inputs.cells.to_dict())
    builder.cycle.schedule_settings = orm.Dict(inputs.schedules.to_dict())
    builder.cycle.sample.worker = {
        **worker,
        'settings': orm.Dict(inputs.sampling.dynamics.to_dict()),
        'metadata': {'options': inputs.sampling.job.options()},
    }
    labeller = labeller_named(inputs.label.labeller)
    builder.cycle.label.limits = orm.Dict(inputs.label.limits.to_dict())
    builder.cycle.label[labeller.namespace] = labeller.inputs(inputs.label, nodes, worker)
    if inputs.benchmark.properties != 'none':
        names, settings = benchmark_set(quick=inputs.benchmark.properties == 'quick')
        builder.benchmark = {
            'properties': orm.List(list(names)),
            'settings': orm.Dict(settings.to_dict()),
            'worker': {**worker, 'metadata': {'options': inputs.benchmark.job.options()}},
        }
    return cast(ProcessBuilder, builder)
