"""The rule by which the disagreement threshold follows the campaign, and the verdict on an iteration."""

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
"""Reasons of a stop that are the disagreement of the members."""

Thresholds = dict[str, Any]
"""``energy_ev_per_sqrt_atom``, and of forces ``force_mean_ev_per_angstrom`` and ``force_max_ev_per_angstrom``."""


def initial_thresholds(rule: ThresholdRule, heldout_error: float | None) -> Thresholds:
    """Return the thresholds of the first iteration: fixed, or from the held-out error of the first ensemble.

    :param heldout_error: median of |E^ - E| / sqrt(N) over the held-out labels, in eV; None: not known.
    """
    if rule.mode == 'fixed':
        return _bounded(rule, rule.energy_ev_per_sqrt_atom)
    error = rule.energy_ev_per_sqrt_atom if heldout_error is None else heldout_error
    return _bounded(rule, rule.initial_factor * error)


def next_thresholds(rule: ThresholdRule, energy: float, counts: Mapping[str, Any]) -> Thresholds:
    """Return the thresholds times exp(gain (f - target)), f the fraction of trajectories that disagreement stopped.

    :param rule: with mode ``fixed`` the thresholds stay.
    :param energy: the present threshold, in eV/sqrt(atom).
    :param counts: ``n_trajectories`` and ``n_stopped`` of the iteration.
    """
    if rule.mode == 'controlled':
        stopped = counts['n_stopped'] / counts['n_trajectories']
        energy *= math.exp(rule.gain * (stopped - rule.target_stopped_fraction))
    return _bounded(rule, energy)


def renewed_thresholds(rule: ThresholdRule, energy: float) -> Thresholds:
    """Return the thresholds with which a continued campaign begins.

    :param rule: with mode ``fixed`` its own energy counts.
    :param energy: the threshold that the campaign before had reached, in eV/sqrt(atom).
    """
    return _bounded(rule, rule.energy_ev_per_sqrt_atom if rule.mode == 'fixed' else energy)


def iteration_counts(rule: ThresholdRule, energy: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what became of the trajectories of an iteration, and whether the campaign has converged.

    It has converged when the median trajectory reached its end without a stop (Smith et al., II.B), and, where the
    threshold is controlled, when that has come down to its floor: a threshold that rises stops nothing either.

    :param energy: threshold of the iteration, in eV/sqrt(atom).
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

    :param energy: in eV/sqrt(atom), not yet held above the floor.
    """
    if not math.isfinite(energy):
        energy = rule.energy_ev_per_sqrt_atom
    return {
        'energy_ev_per_sqrt_atom': energy if rule.mode == 'fixed' else max(energy, rule.floor_ev_per_sqrt_atom),
        'force_mean_ev_per_angstrom': rule.force_mean_ev_per_angstrom,
        'force_max_ev_per_angstrom': rule.force_max_ev_per_angstrom,
    }
