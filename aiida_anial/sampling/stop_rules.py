"""When a trajectory ends, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aiida_anial.sampling.settings import SamplingSettings, Thresholds

__all__ = ('Measurement', 'StopReason', 'judge')


class StopReason(StrEnum):
    """Why a trajectory ended."""

    COMPLETED = 'completed'
    ENERGY_DISAGREEMENT = 'energy_disagreement'
    FORCE_DISAGREEMENT_MEAN = 'force_disagreement_mean'
    FORCE_DISAGREEMENT_MAX = 'force_disagreement_max'
    CLOSE_CONTACT = 'close_contact'
    TEMPERATURE = 'temperature'
    NOT_FINITE = 'not_finite'

    @property
    def is_physical(self) -> bool:
        """Whether the last configuration makes sense, so that it is itself the candidate for a label."""
        return self not in (StopReason.CLOSE_CONTACT, StopReason.TEMPERATURE, StopReason.NOT_FINITE)


@dataclass(frozen=True)
class Measurement:
    """What the rules look at.

    :param time_ps: time since the start.
    :param is_last: whether t_max is reached.
    :param is_finite: whether energy, forces and velocities are finite.
    :param temperature_k: kinetic temperature.
    :param closest_contact_angstrom: distance of the closest two atoms, periodic images included.
    :param energy_disagreement: standard deviation of the energy over sqrt(atoms), eV.
    :param force_disagreement_mean: mean over atoms, eV/angstrom; NaN: not computed.
    :param force_disagreement_max: largest of all atoms, eV/angstrom; NaN: not computed.
    """

    time_ps: float
    is_last: bool
    is_finite: bool
    temperature_k: float
    closest_contact_angstrom: float
    energy_disagreement: float
    force_disagreement_mean: float
    force_disagreement_max: float


def judge(measured: Measurement, *, settings: SamplingSettings, thresholds: Thresholds) -> StopReason | None:
    """Return why the trajectory ends here, or None if it goes on.

    What is unphysical comes first, and at any time; disagreement counts from ``min_time_ps`` on; t_max comes last.
    """
    reason = _unphysical(measured, settings)
    if reason is None and measured.time_ps >= settings.min_time_ps * (1 - 1e-9):
        reason = _disagreement(measured, thresholds)
    if reason is None and measured.is_last:
        reason = StopReason.COMPLETED
    return reason


def _unphysical(measured: Measurement, settings: SamplingSettings) -> StopReason | None:
    """Return what is unphysical, if anything."""
    if not measured.is_finite:
        return StopReason.NOT_FINITE
    if measured.temperature_k > settings.max_temperature_k:
        return StopReason.TEMPERATURE
    if measured.closest_contact_angstrom < settings.min_contact_angstrom:
        return StopReason.CLOSE_CONTACT
    return None


def _disagreement(measured: Measurement, thresholds: Thresholds) -> StopReason | None:
    """Return the first disagreement above its threshold, if any; comparisons with NaN are false."""
    limits = (
        (StopReason.ENERGY_DISAGREEMENT, measured.energy_disagreement, thresholds.energy_ev_per_sqrt_atom),
        (StopReason.FORCE_DISAGREEMENT_MAX, measured.force_disagreement_max, thresholds.force_max_ev_per_angstrom),
        (StopReason.FORCE_DISAGREEMENT_MEAN, measured.force_disagreement_mean, thresholds.force_mean_ev_per_angstrom),
    )
    for reason, value, limit in limits:
        if limit is not None and value > limit:
            return reason
    return None
