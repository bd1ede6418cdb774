"""The rule by which the disagreement threshold follows the campaign."""

from __future__ import annotations

import math
from typing import Any

from aiida_anial.active_learning.settings import ThresholdRule

__all__ = ('thresholds_with_energy',)


def thresholds_with_energy(rule: ThresholdRule, energy: float) -> dict[str, Any]:
    """Return the thresholds of an iteration.

    :param energy: disagreement of the energy over sqrt(N), in eV, not yet held above the floor.
    """
    if not math.isfinite(energy):
        energy = rule.energy_ev_per_sqrt_atom
    bounded = energy if rule.mode == 'fixed' else max(energy, rule.floor_ev_per_sqrt_atom)
    return {
        'energy_ev_per_sqrt_atom': bounded,
        'force_mean_ev_per_angstrom': rule.force_mean_ev_per_angstrom,
        'force_max_ev_per_angstrom': rule.force_max_ev_per_angstrom,
    }
