"""Graph traversal in few queries: children, inputs and outputs of many processes, and the nodes of a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiida import orm
from aiida.common import LinkType

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData

__all__ = (
    'called_by',
    'campaign_theories',
    'campaigns_that_trained',
    'inputs_of',
    'outputs_of',
    'shard_makers',
    'work_chains',
)

_CALLS = (LinkType.CALL_CALC.value, LinkType.CALL_WORK.value)
_OUTPUTS = (LinkType.CREATE.value, LinkType.RETURN.value)
_INPUTS = (LinkType.INPUT_CALC.value, LinkType.INPUT_WORK.value)


def called_by(processes: Iterable[Any], *names: str) -> dict[int, list[Any]]:
    """Return the processes that each process called, by its pk and in order of creation.

    :param names: process labels to restrict the result to; by default all.
    """
    found: dict[int, list[Any]] = {process.pk: [] for process in processes}
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': list(found)}}, tag='caller', project='id')
    filters = {'attributes.process_label': {'in': list(names)}} if names else {}
    edge = {'type': {'in': list(_CALLS)}}
    query.append(orm.ProcessNode, with_incoming='caller', edge_filters=edge, filters=filters, tag='called', project='*')
    for pk, node in query.all() if found else ():
        found[pk].append(node)
    return {pk: sorted(nodes, key=lambda node: node.ctime) for pk, nodes in found.items()}


def outputs_of(processes: Iterable[Any], *labels: str) -> dict[tuple[int, str], Any]:
    """Return the outputs with these link labels, by the pk of the process and the label."""
    pks = [process.pk for process in processes]
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='process', project='id')
    edge = {'label': {'in': list(labels)}, 'type': {'in': list(_OUTPUTS)}}
    query.append(orm.Data, with_incoming='process', edge_filters=edge, edge_project='label', project='*')
    return {(pk, label): node for pk, node, label in query.all()} if pks else {}


def inputs_of(processes: Iterable[Any], *labels: str) -> dict[tuple[int, str], Any]:
    """Return the inputs with these link labels, by the pk of the process and the label."""
    pks = [process.pk for process in processes]
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='process', project='id')
    edge = {'label': {'in': list(labels)}, 'type': {'in': list(_INPUTS)}}
    query.append(orm.Data, with_outgoing='process', edge_filters=edge, edge_project='label', project='*')
    return {(pk, label): node for pk, node, label in query.all()} if pks else {}


_CAMPAIGN = 'ActiveLearningWorkChain'
_CHAINS = (
    'AlIterationWorkChain',
    'BenchmarkWorkChain',
    'CycleWorkChain',
    'DftPropertyWorkChain',
    'LabelWorkChain',
    'SampleWorkChain',
    'TrainWorkChain',
)


def work_chains(campaigns: Sequence[Any]) -> list[int]:
    """Return the pks of the campaigns and of all work chains of this package under them."""
    found = level = [campaign.pk for campaign in campaigns]
    while level:
        query = orm.QueryBuilder()
        query.append(orm.WorkChainNode, filters={'id': {'in': level}}, tag='caller')
        query.append(
            orm.WorkChainNode,
            with_incoming='caller',
            filters={'attributes.process_label': {'in': list(_CHAINS)}},
            project='id',
        )
        level = query.all(flat=True)
        found = found + level
    return found


def shard_makers(campaigns: Sequence[Any]) -> list[int]:
    """Return the pks of the processes that created the shards of the campaigns, including shards given as inputs."""
    own = orm.QueryBuilder()
    own.append(orm.WorkChainNode, filters={'id': {'in': work_chains(campaigns)}}, tag='chain')
    own.append(orm.CalcFunctionNode, with_incoming='chain', tag='maker', project='id')
    own.append(DatasetData, with_incoming='maker')
    given = orm.QueryBuilder()
    given.append(orm.WorkChainNode, filters={'id': {'in': [campaign.pk for campaign in campaigns]}}, tag='campaign')
    given.append(DatasetData, with_outgoing='campaign', tag='shard')
    given.append(orm.CalcFunctionNode, with_outgoing='shard', project='id')
    return sorted({*own.all(flat=True), *given.all(flat=True)})


def campaigns_that_trained(ensembles: Iterable[int]) -> dict[int, int]:
    """Return the pk of the campaign that trained each ensemble, by its pk; those of no campaign are left out."""
    creators = orm.QueryBuilder()
    creators.append(EnsembleData, filters={'id': {'in': list(ensembles)}}, tag='ensemble', project='id')
    creators.append(orm.CalcJobNode, with_outgoing='ensemble', project='id')
    climbing, found = dict(creators.all()), dict[int, int]()
    while climbing:
        query = orm.QueryBuilder()
        query.append(orm.ProcessNode, filters={'id': {'in': list(climbing.values())}}, tag='called', project='id')
        query.append(orm.WorkChainNode, with_outgoing='called', project=['id', 'attributes.process_label'])
        callers = {pk: (caller, name) for pk, caller, name in query.all()}
        known = {ensemble: callers[pk] for ensemble, pk in climbing.items() if pk in callers}
        found |= {ensemble: caller for ensemble, (caller, name) in known.items() if name == _CAMPAIGN}
        climbing = {ensemble: caller for ensemble, (caller, name) in known.items() if name != _CAMPAIGN}
    return found


def campaign_theories(campaign: Any) -> dict[str, LevelOfTheory]:
    """Return the distinct levels of theory of a campaign's shards, each by the name of its first shard."""
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, filters={'id': {'in': shard_makers([campaign])}}, tag='maker')
    query.append(DatasetData, with_incoming='maker', tag='shard')
    query.order_by({'shard': {'id': 'asc'}}).add_projection('shard', '*')
    theories: dict[str, LevelOfTheory] = {}
    for shard in query.all(flat=True):
        theory = shard.level_of_theory
        if theory is not None and theory not in theories.values():
            theories[f'shard {shard.pk}'] = theory
    return theories
