"""The thresholds with which a campaign continues another."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning import thresholds as rules
from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('renew_thresholds',)


@calcfunction
def renew_thresholds(rule: orm.Dict, thresholds: orm.Dict) -> orm.Dict:
    """Return the thresholds of the next iteration, from a rule and the last thresholds of another campaign.

    :param rule: ``ThresholdRule``; with mode ``fixed`` its own energy holds, otherwise the last one, above the floor.
    :param thresholds: those of the other campaign; with the same rule they stay as they are.
    """
    return orm.Dict(rules.renewed_thresholds(ThresholdRule.parse(rule.get_dict()), thresholds.get_dict()))
