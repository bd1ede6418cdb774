"""What happened in an iteration, in one node."""

from __future__ import annotations

from statistics import median
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('DISAGREEMENT_STOPS', 'summarise_iteration')

DISAGREEMENT_STOPS = ('energy_disagreement', 'force_disagreement_mean', 'force_disagreement_max')


@calcfunction
def summarise_iteration(rule: orm.Dict, thresholds: orm.Dict, **nodes: Any) -> orm.Dict:
    """Return counts, the median time to a stop, and whether the campaign has converged.

    It has converged when the median trajectory reached its end without a stop (Smith et al., II.B), and, where the
    threshold is controlled, when that has come down to its floor: a threshold that rises stops nothing either.

    :param rule: ``ThresholdRule``.
    :param thresholds: those that the trajectories were stopped by.
    :param nodes: namespaces by cycle: ``tables`` (of the sampling), and where there were candidates ``rejected`` and
        ``datasets``.
    """
    rows = [row for table in nodes['tables'].values() for row in table['trajectories']]
    reasons = [row['stop_reason'] for row in rows]
    parsed = ThresholdRule.parse(rule.get_dict())
    at_floor = thresholds['energy_ev_per_sqrt_atom'] <= parsed.floor_ev_per_sqrt_atom
    return orm.Dict(
        {
            'n_trajectories': len(rows),
            'n_stopped': sum(reason in DISAGREEMENT_STOPS for reason in reasons),
            'n_unphysical': sum(reason not in (*DISAGREEMENT_STOPS, 'completed') for reason in reasons),
            'stop_reasons': {reason: reasons.count(reason) for reason in sorted(set(reasons))},
            'median_time_ps': median(row['stop_time_ps'] for row in rows),
            'converged': (parsed.mode == 'fixed' or at_floor) and 2 * reasons.count('completed') > len(rows),
            'n_labels': sum(shard.n_configurations for shard in nodes.get('datasets', {}).values()),
            'n_rejected': sum(len(rejected.get_dict()) for rejected in nodes.get('rejected', {}).values()),
        }
    )
