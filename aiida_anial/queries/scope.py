"""What belongs to a campaign: its work chains, and what made its shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida import orm

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData

__all__ = ('campaign_theories', 'shard_makers', 'work_chains')

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
    """Return the pks of the processes that made the shards of the campaigns, those they were given included."""
    own = orm.QueryBuilder()
    own.append(orm.WorkChainNode, filters={'id': {'in': work_chains(campaigns)}}, tag='chain')
    own.append(orm.CalcFunctionNode, with_incoming='chain', tag='maker', project='id')
    own.append(DatasetData, with_incoming='maker')
    given = orm.QueryBuilder()
    given.append(orm.WorkChainNode, filters={'id': {'in': [campaign.pk for campaign in campaigns]}}, tag='campaign')
    given.append(DatasetData, with_outgoing='campaign', tag='shard')
    given.append(orm.CalcFunctionNode, with_outgoing='shard', project='id')
    return sorted({*own.all(flat=True), *given.all(flat=True)})


def campaign_theories(campaign: Any) -> dict[str, LevelOfTheory]:
    """Return the levels of theory of the shards of a campaign, each by the name of the first shard that has it."""
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
