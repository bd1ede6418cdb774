"""The thresholds of the iteration after this one."""

from __future__ import annotations

import math

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.settings import ThresholdRule
from aiida_anial.active_learning.thresholds import thresholds_with_energy

__all__ = ('next_thresholds',)


@calcfunction
def next_thresholds(rule: orm.Dict, thresholds: orm.Dict, iteration: orm.Dict) -> orm.Dict:
    """Return the thresholds times exp(gain (f - target)), f the fraction of trajectories that disagreement stopped.

    :param rule: ``ThresholdRule``; with mode ``fixed`` the thresholds stay.
    :param thresholds: the present ones.
    :param iteration: summary of the iteration, for ``n_trajectories`` and ``n_stopped``.
    """
    parsed = ThresholdRule.parse(rule.get_dict())
    energy = thresholds['energy_ev_per_sqrt_atom']
    if parsed.mode == 'controlled':
        stopped = iteration['n_stopped'] / iteration['n_trajectories']
        energy *= math.exp(parsed.gain * (stopped - parsed.target_stopped_fraction))
    return orm.Dict(thresholds_with_energy(parsed, energy))
