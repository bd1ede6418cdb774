"""The rule of the disagreement thresholds, and the convergence of a campaign."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from aiida_anial.active_learning.settings import ThresholdRule

__all__ = (
    'DISAGREEMENT_STOPS',
    'initial_thresholds',
    'iteration_counts',
    'next_thresholds',
    'renewed_thresholds',
)

DISAGREEMENT_STOPS = ('energy_disagreement', 'force_disagreement_mean', 'force_disagreement_max')
"""Stop reasons that mean that the members disagree."""

Thresholds = dict[str, Any]
"""Thresholds by key: ``energy_ev_per_sqrt_atom``, ``force_mean_ev_per_angstrom``, ``force_max_ev_per_angstrom``."""


def initial_thresholds(rule: ThresholdRule, heldout_error: float | None) -> Thresholds:
    """Return the thresholds of the first iteration: fixed, or from the held-out error of the first ensemble.

    :param heldout_error: median of |E^ - E| / sqrt(N) over the held-out labels, in eV; None if unknown.
    """
    if rule.mode == 'fixed':
        return _bounded(rule, rule.energy_ev_per_sqrt_atom)
    error = rule.energy_ev_per_sqrt_atom if heldout_error is None else heldout_error
    return _bounded(rule, rule.initial_factor * error)


def next_thresholds(rule: ThresholdRule, energy: float, counts: Mapping[str, Any]) -> Thresholds:
    """Return the thresholds of the next iteration.

    The energy threshold is multiplied by exp(gain (f - target)), where f is the fraction of trajectories that
    disagreement stopped.

    :param rule: with mode ``fixed``, the threshold does not change.
    :param energy: current energy threshold, in eV/sqrt(atom).
    :param counts: ``n_trajectories`` and ``n_stopped`` of the iteration.
    """
    if rule.mode == 'controlled':
        stopped = counts['n_stopped'] / counts['n_trajectories']
        energy *= math.exp(rule.gain * (stopped - rule.target_stopped_fraction))
    return _bounded(rule, energy)


def renewed_thresholds(rule: ThresholdRule, energy: float) -> Thresholds:
    """Return the initial thresholds of a continued campaign.

    :param rule: with mode ``fixed``, the threshold is that of the rule.
    :param energy: last energy threshold of the previous campaign, in eV/sqrt(atom).
    """
    return _bounded(rule, rule.energy_ev_per_sqrt_atom if rule.mode == 'fixed' else energy)


def iteration_counts(rule: ThresholdRule, energy: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how the trajectories of an iteration ended, and whether the campaign has converged.

    It has converged when the median trajectory reached t_max without a stop (Smith et al., II.B). A controlled
    threshold must also have come down to its floor, because a high threshold does not stop trajectories, either.

    :param energy: energy threshold of the iteration, in eV/sqrt(atom).
    :param rows: ``stop_reason`` and ``stop_time_ps`` of each trajectory.
    """
    reasons = [row['stop_reason'] for row in rows]
    at_floor = energy <= rule.floor_ev_per_sqrt_atom
    return {
        'n_trajectories': len(rows),
        'n_stopped': sum(reason in DISAGREEMENT_STOPS for reason in reasons),
        'n_unphysical': sum(reason not in (*DISAGREEMENT_STOPS, 'completed') for reason in reasons),
        'stop_reasons': {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        'median_time_ps': median(row['stop_time_ps'] for row in rows),
        'converged': (rule.mode == 'fixed' or at_floor) and 2 * reasons.count('completed') > len(rows),
    }


def _bounded(rule: ThresholdRule, energy: float) -> Thresholds:
    """Return the thresholds of an iteration.

    :param energy: energy threshold before the floor applies, in eV/sqrt(atom).
    """
    if not math.isfinite(energy):
        energy = rule.energy_ev_per_sqrt_atom
    return {
        'energy_ev_per_sqrt_atom': energy if rule.mode == 'fixed' else max(energy, rule.floor_ev_per_sqrt_atom),
        'force_mean_ev_per_angstrom': rule.force_mean_ev_per_angstrom,
        'force_max_ev_per_angstrom': rule.force_max_ev_per_angstrom,
    }
