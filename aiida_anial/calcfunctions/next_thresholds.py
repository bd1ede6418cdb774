"""The thresholds of the next iteration."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning import thresholds as rules
from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('next_thresholds',)


@calcfunction
def next_thresholds(rule: orm.Dict, thresholds: orm.Dict, iteration: orm.Dict) -> orm.Dict:
    """Return the thresholds times exp(gain (f - target)), f: the fraction of trajectories that disagreement stopped.

    :param rule: ``ThresholdRule``; with mode ``fixed`` the thresholds stay.
    :param thresholds: the present ones.
    :param iteration: summary of the iteration, for ``n_trajectories`` and ``n_stopped``.
    """
    energy = thresholds['energy_ev_per_sqrt_atom']
    return orm.Dict(rules.next_thresholds(ThresholdRule.parse(rule.get_dict()), energy, iteration.get_dict()))
