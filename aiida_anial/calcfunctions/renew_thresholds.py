"""The thresholds with which a continued campaign goes on."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning import thresholds as rules
from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('renew_thresholds',)


@calcfunction
def renew_thresholds(rule: orm.Dict, thresholds: orm.Dict) -> orm.Dict:
    """Return the thresholds that a rule makes of those that another campaign had come to.

    :param rule: ``ThresholdRule``; with mode ``fixed`` its own energy counts, else the one come to, above the floor.
    :param thresholds: with the same rule they stay as they are.
    """
    energy = thresholds['energy_ev_per_sqrt_atom']
    return orm.Dict(rules.renewed_thresholds(ThresholdRule.parse(rule.get_dict()), energy))
