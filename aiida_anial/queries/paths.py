"""How queries find the nodes of a record: functions that append its entities, each with its tag, to a query.

Those with a second argument begin the query; it holds the campaigns to restrict it to, or ``None``.
"""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.label import LabelData
from aiida_anial.queries.graph import shard_makers, work_chains

__all__ = (
    'add_benchmarked',
    'add_benchmarks',
    'add_calculations',
    'add_campaigns',
    'add_candidates',
    'add_ensembles',
    'add_iteration',
    'add_labels',
    'add_printed',
    'add_retraining',
    'add_shard',
    'add_shards',
    'add_stage',
    'add_training',
    'add_trajectories',
    'add_verdict',
)


def _scope(campaigns: list[Any] | None) -> dict[str, Any]:
    """Return the filter that restricts a query to the work chains of the campaigns."""
    return {} if campaigns is None else {'id': {'in': work_chains(campaigns)}}


def _makers(campaigns: list[Any] | None) -> dict[str, Any]:
    """Return the filter that restricts a query to the creators of the campaigns' shards, of which there may be none."""
    return {} if campaigns is None else {'id': {'in': shard_makers(campaigns) or [-1]}}


def add_labels(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of labels."""
    # The exact node type, for which the database has an index.
    builder.append(LabelData, tag='label', subclassing=False)
    if campaigns is not None:
        builder.append(orm.CalcFunctionNode, with_outgoing='label', tag='maker', filters=_makers(campaigns))


def add_shard(builder: orm.QueryBuilder) -> None:
    """Add the shard of a label."""
    # The creator has an output for every label; filtering by link label spares the database from visiting each.
    builder.append(orm.CalcFunctionNode, with_outgoing='label', tag='collection')
    builder.append(DatasetData, with_incoming='collection', tag='shard', edge_filters={'label': 'dataset'})


def add_shards(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of shards."""
    if campaigns is not None:
        builder.append(orm.CalcFunctionNode, tag='maker', filters=_makers(campaigns))
        builder.append(DatasetData, with_incoming='maker', tag='shard')
    else:
        builder.append(DatasetData, tag='shard')


def add_calculations(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of calculations by pw.x."""
    builder.append(orm.CalcJobNode, filters={'attributes.process_label': 'PwCalculation'}, tag='job')
    if campaigns is not None:
        builder.append(orm.WorkChainNode, with_outgoing='job', tag='base')
        builder.append(orm.WorkChainNode, with_outgoing='base', filters=_scope(campaigns))
    builder.append(orm.StructureData, with_outgoing='job', tag='cell', edge_filters={'label': 'structure'})
    builder.append(orm.Dict, with_outgoing='job', tag='parameters', edge_filters={'label': 'parameters'})
    builder.append(orm.KpointsData, with_outgoing='job', tag='kpoints', edge_filters={'label': 'kpoints'})


def add_printed(builder: orm.QueryBuilder) -> None:
    """Add what pw.x printed."""
    builder.append(orm.Dict, with_incoming='job', tag='printed')


def add_trajectories(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of trajectories."""
    jobs = {'in': ['SampleCalculation', 'LammpsCalculation']}
    builder.append(orm.CalcJobNode, filters={'attributes.process_label': jobs}, tag='job')
    builder.append(orm.TrajectoryData, with_incoming='job', tag='trajectory')
    if campaigns is not None:
        builder.append(orm.WorkChainNode, with_outgoing='job', filters=_scope(campaigns))


def add_iteration(builder: orm.QueryBuilder) -> None:
    """Add the iteration of a trajectory."""
    builder.append(orm.CalcJobNode, with_outgoing='trajectory', tag='sampled')
    builder.append(orm.WorkChainNode, with_outgoing='sampled', tag='sampling')
    builder.append(orm.WorkChainNode, with_outgoing='sampling', tag='cycle')
    builder.append(orm.Int, with_outgoing='cycle', tag='iteration', edge_filters={'label': 'iteration'})


def add_candidates(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of candidates, with their trajectories."""
    builder.append(orm.CalcFunctionNode, filters={'attributes.process_label': 'extract_candidate'}, tag='extraction')
    if campaigns is not None:
        builder.append(orm.WorkChainNode, with_outgoing='extraction', filters=_scope(campaigns))
    builder.append(orm.StructureData, with_incoming='extraction', tag='candidate')
    builder.append(orm.TrajectoryData, with_outgoing='extraction', tag='trajectory')


def add_ensembles(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of ensembles."""
    builder.append(EnsembleData, tag='ensemble')
    if campaigns is not None:
        builder.append(orm.CalcJobNode, with_outgoing='ensemble', tag='job')
        builder.append(orm.WorkChainNode, with_outgoing='job', filters=_scope(campaigns))


def add_training(builder: orm.QueryBuilder) -> None:
    """Add the summary of the training of an ensemble."""
    builder.append(orm.CalcJobNode, with_outgoing='ensemble', tag='training')
    builder.append(orm.Dict, with_incoming='training', tag='summary')


def add_stage(builder: orm.QueryBuilder) -> None:
    """Add the work chain of the training of an ensemble, whose label names the stage."""
    builder.append(orm.CalcJobNode, with_outgoing='ensemble', tag='staged')
    builder.append(orm.WorkChainNode, with_outgoing='staged', tag='stage')


def add_retraining(builder: orm.QueryBuilder) -> None:
    """Add the iteration of the retraining of an ensemble."""
    builder.append(orm.CalcJobNode, with_outgoing='ensemble', tag='retrained')
    builder.append(orm.WorkChainNode, with_outgoing='retrained', tag='retraining')
    builder.append(orm.WorkChainNode, with_outgoing='retraining', tag='iterating')
    edge = {'label': 'cycle__iteration'}
    builder.append(orm.Int, with_outgoing='iterating', tag='retrained_after', edge_filters=edge)


def add_campaigns(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of campaigns."""
    filters: dict[str, Any] = {'attributes.process_label': 'ActiveLearningWorkChain'}
    if campaigns is not None:
        filters['id'] = {'in': [campaign.pk for campaign in campaigns]}
    builder.append(orm.WorkChainNode, filters=filters, tag='campaign')


def add_verdict(builder: orm.QueryBuilder) -> None:
    """Add the summary of a campaign."""
    builder.append(orm.Dict, with_incoming='campaign', tag='verdict', edge_filters={'label': 'summary'})


def add_benchmarks(builder: orm.QueryBuilder, campaigns: list[Any] | None) -> None:
    """Begin a query of properties."""
    makers = {'attributes.process_label': {'in': ['PropertyCalculation', 'analyse_property']}}
    builder.append(orm.CalculationNode, filters=makers, tag='maker')
    builder.append(orm.Dict, with_incoming='maker', edge_filters={'label': 'quantities'}, tag='quantities')
    if campaigns is not None:
        builder.append(orm.WorkChainNode, with_outgoing='maker', filters=_scope(campaigns))


def add_benchmarked(builder: orm.QueryBuilder) -> None:
    """Add the ensemble of a property."""
    builder.append(EnsembleData, with_outgoing='maker', tag='benchmarked')
