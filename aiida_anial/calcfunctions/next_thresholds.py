"""The thresholds of the next iteration."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning import thresholds as rules
from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('next_thresholds',)


@calcfunction
def next_thresholds(rule: orm.Dict, thresholds: orm.Dict, iteration: orm.Dict, **summaries: orm.Dict) -> orm.Dict:
    """Return the thresholds of the next iteration.

    :param rule: ``ThresholdRule``.
    :param thresholds: the present ones.
    :param iteration: summary of the iteration, for ``n_trajectories`` and ``n_stopped``.
    :param summaries: ``training`` and ``fresh_errors`` of the iteration, if it had labels.
    """
    values = {name: node.get_dict() for name, node in summaries.items()}
    parsed = ThresholdRule.parse(rule.get_dict())
    return orm.Dict(rules.next_thresholds(parsed, thresholds.get_dict(), iteration.get_dict(), **values))
