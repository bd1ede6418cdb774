"""Summary of a campaign, with its verdict."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.advice import advice
from aiida_anial.active_learning.settings import CampaignInputs

__all__ = ('summarise_campaign',)


@calcfunction
def summarise_campaign(
    verdict: orm.Str, training: orm.Dict, settings: orm.Dict | None = None, **nodes: Any
) -> orm.Dict:
    """Return the counts of a campaign, why it ended, and what was unusual in its settings.

    :param verdict: why it ended.
    :param training: summary of the last training.
    :param settings: settings of the campaign; earlier versions did not give them.
    :param nodes: namespaces ``shards`` and ``iterations`` (summaries).
    """
    summaries = [node.get_dict() for _, node in sorted(nodes.get('iterations', {}).items())]
    shards = nodes['shards'].values()
    return orm.Dict(
        {
            'verdict': verdict.value,
            'converged': verdict.value == 'converged',
            'n_iterations': len(summaries),
            'n_labels': sum(shard.n_configurations for shard in shards),
            'n_atoms': sum(shard.base.attributes.get('n_atoms') for shard in shards),
            'n_trajectories': sum(summary['n_trajectories'] for summary in summaries),
            'test': training.get('test'),
            'unusual': advice(CampaignInputs.parse(settings.get_dict())) if settings is not None else [],
        }
    )
