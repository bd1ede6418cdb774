"""Summary of an iteration."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.settings import ThresholdRule
from aiida_anial.active_learning.thresholds import iteration_counts

__all__ = ('summarise_iteration',)


@calcfunction
def summarise_iteration(rule: orm.Dict, thresholds: orm.Dict, **nodes: Any) -> orm.Dict:
    """Return counts, the median time to a stop, and whether the campaign has converged.

    :param rule: ``ThresholdRule``.
    :param thresholds: thresholds of this iteration.
    :param nodes: namespaces by cycle: ``tables`` (of the sampling), and where there were candidates ``rejected`` and
        ``datasets``.
    """
    rows = [row for table in nodes['tables'].values() for row in table['trajectories']]
    return orm.Dict(
        {
            **iteration_counts(ThresholdRule.parse(rule.get_dict()), thresholds.get_dict(), rows),
            'n_labels': sum(shard.n_configurations for shard in nodes.get('datasets', {}).values()),
            'n_rejected': sum(len(rejected.get_dict()) for rejected in nodes.get('rejected', {}).values()),
        }
    )
