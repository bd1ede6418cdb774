"""The rule of the disagreement thresholds, and the convergence of a campaign."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from aiida_anial.active_learning.settings import ThresholdRule
from aiida_anial.sampling.trajectory import StopReason
from aiida_anial.training.calibration import Calibration

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
"""Thresholds by key, those of :class:`aiida_anial.sampling.settings.Thresholds`."""

_CLAIMS = ('energy_error_mev_per_atom', 'force_error_ev_per_angstrom')
_UNCALIBRATED = Calibration(energy_factor=1.0, force_factor=1.0, energy_coverage=math.nan, force_coverage=math.nan)
# Median of the absolute value of a Gaussian of unit width.
_MEDIAN = 0.6745


def initial_thresholds(rule: ThresholdRule, training: Mapping[str, Any]) -> Thresholds:
    """Return the thresholds of the first iteration: fixed, or from the held-out errors of the first ensemble.

    :param training: summary of its training. No label is new to all of its members, so disagreement counts as error.
    """
    if rule.mode == 'calibrated':
        return _calibrated(rule, training, _UNCALIBRATED)
    if rule.mode == 'fixed':
        return _bounded(rule, rule.energy_ev_per_sqrt_atom)
    error = training.get('median_heldout_error_ev_per_sqrt_atom')
    return _bounded(rule, rule.initial_factor * (rule.energy_ev_per_sqrt_atom if error is None else error))


def next_thresholds(
    rule: ThresholdRule,
    thresholds: Mapping[str, Any],
    counts: Mapping[str, Any],
    *,
    training: Mapping[str, Any] | None = None,
    fresh_errors: Mapping[str, Any] | None = None,
) -> Thresholds:
    """Return the thresholds of the next iteration.

    With mode ``controlled`` the energy threshold is multiplied by exp(gain (f - target)), where f is the fraction of
    trajectories that disagreement stopped.

    :param thresholds: those of this iteration; they stay with mode ``fixed``, and with ``calibrated`` if there were no
        fresh labels.
    :param counts: ``n_trajectories`` and ``n_stopped`` of the iteration.
    :param training: summary of the retraining, for ``calibrated``.
    :param fresh_errors: summary of the errors of the old ensemble on the fresh labels, for ``calibrated``.
    """
    if rule.mode == 'calibrated':
        if training is None or fresh_errors is None:
            return dict(thresholds)
        measured = Calibration.from_summary(fresh_errors)
        return _calibrated(rule, training, _damped(thresholds, training, measured or _UNCALIBRATED))
    energy = thresholds['energy_ev_per_sqrt_atom']
    if rule.mode == 'controlled':
        stopped = counts['n_stopped'] / counts['n_trajectories']
        energy *= math.exp(rule.gain * (stopped - rule.target_stopped_fraction))
    return _bounded(rule, energy)


def renewed_thresholds(rule: ThresholdRule, thresholds: Mapping[str, Any]) -> Thresholds:
    """Return the initial thresholds of a continued campaign.

    :param rule: with mode ``fixed``, the threshold is that of the rule.
    :param thresholds: last thresholds of the previous campaign.
    """
    if rule.mode == 'calibrated':
        return dict(thresholds)
    return _bounded(
        rule, rule.energy_ev_per_sqrt_atom if rule.mode == 'fixed' else thresholds['energy_ev_per_sqrt_atom']
    )


def iteration_counts(
    rule: ThresholdRule, thresholds: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return how the trajectories of an iteration ended, and whether the campaign has converged.

    It has converged when the median trajectory reached t_max without a stop (Smith et al., II.B). A threshold that
    changes must also have come down to its floor, because a high threshold does not stop trajectories, either.

    :param thresholds: those of the iteration.
    :param rows: ``stop_reason`` and ``stop_time_ps`` of each trajectory.
    """
    reasons = [row['stop_reason'] for row in rows]
    return {
        'n_trajectories': len(rows),
        'n_stopped': sum(reason in DISAGREEMENT_STOPS for reason in reasons),
        'n_duplicates': sum(row.get('duplicate_of') is not None for row in rows),
        'n_unphysical': sum(not StopReason(reason).is_physical for reason in reasons),
        'stop_reasons': {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        'median_time_ps': median(row['stop_time_ps'] for row in rows),
        'converged': _is_lowest(rule, thresholds) and 2 * reasons.count('completed') > len(rows),
    }


def _is_lowest(rule: ThresholdRule, thresholds: Mapping[str, Any]) -> bool:
    """Return whether the rule lets the thresholds fall no further."""
    if rule.mode == 'calibrated':
        return all(math.isclose(thresholds.get(name) or math.inf, getattr(rule, name)) for name in _CLAIMS)
    return rule.mode == 'fixed' or bool(thresholds['energy_ev_per_sqrt_atom'] <= rule.floor_ev_per_sqrt_atom)


def _damped(thresholds: Mapping[str, Any], training: Mapping[str, Any], measured: Calibration) -> Calibration:
    """Return the geometric means of the factors behind the present thresholds and of those measured on fresh labels.

    A dozen labels tell a factor within some 30 %, and thresholds that follow each of them swing. Thresholds that stand
    for no error, such as those of another rule, have no factor.
    """
    if any(thresholds.get(name) is None for name in _CLAIMS):
        return measured
    energy = thresholds['energy_error_mev_per_atom'] / 1000 * math.sqrt(training['mean_n_atoms'])
    before = energy / thresholds['energy_ev_per_sqrt_atom']
    force_before = thresholds['force_error_ev_per_angstrom'] / thresholds['force_mean_ev_per_angstrom']
    return replace(
        measured,
        energy_factor=math.sqrt(before * measured.energy_factor),
        force_factor=math.sqrt(force_before * measured.force_factor),
    )


def _calibrated(rule: ThresholdRule, training: Mapping[str, Any], calibration: Calibration) -> Thresholds:
    """Return the thresholds that stand for the present errors of an ensemble, or for the larger ones of the rule.

    :param training: summary of its training.
    """
    root_mean_atoms = math.sqrt(training['mean_n_atoms'])
    energy_goal = rule.energy_error_mev_per_atom / 1000 * root_mean_atoms
    energy = max(energy_goal, rule.error_factor * (training['median_heldout_error_ev_per_sqrt_atom'] or 0.0) / _MEDIAN)
    force = max(
        rule.force_error_ev_per_angstrom,
        rule.error_factor * (training['median_heldout_force_error_ev_per_angstrom'] or 0.0),
    )
    return {
        'energy_ev_per_sqrt_atom': energy / calibration.energy_factor,
        'force_mean_ev_per_angstrom': force / calibration.force_factor,
        'force_max_ev_per_angstrom': rule.force_max_ev_per_angstrom,
        'novelty': rule.novelty,
        'energy_error_mev_per_atom': 1000 * energy / root_mean_atoms,
        'force_error_ev_per_angstrom': force,
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
        'novelty': rule.novelty,
    }
