"""The thresholds of the first iteration."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning import thresholds as rules
from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('initial_thresholds',)


@calcfunction
def initial_thresholds(rule: orm.Dict, training: orm.Dict) -> orm.Dict:
    """Return the thresholds of the first iteration: fixed, or from the held-out errors of the first ensemble.

    :param rule: ``ThresholdRule``.
    :param training: summary of the training.
    """
    return orm.Dict(rules.initial_thresholds(ThresholdRule.parse(rule.get_dict()), training.get_dict()))
