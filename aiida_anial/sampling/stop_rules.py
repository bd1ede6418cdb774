"""The stop rules: what is measured on trajectories, when one ends, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.potential.engine import Prediction
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.dynamics import Dynamics
from aiida_anial.sampling.loops import are_within
from aiida_anial.sampling.settings import SamplingSettings, Thresholds
from aiida_anial.sampling.trajectory import Frame, StopReason

__all__ = ('Measurement', 'Survey', 'are_finite', 'judge')

# In eV/angstrom. A larger force moves an atom across any cell in one time step, so far that coordinates lose digits.
_MEANINGLESS_FORCE = 1e5
# Of the volume that a cell relaxes to, in units of that at the start. Members may agree on a gas: it has no forces.
_VOLUME_RATIOS = (0.4, 2.5)


@dataclass(frozen=True)
class Measurement:
    """Measurements on one trajectory, to which the stop rules apply.

    :param time_ps: time since the start.
    :param is_last: whether this is the last step.
    :param is_finite: whether energies and forces are finite.
    :param temperature_k: kinetic temperature.
    :param closest_contact_angstrom: distance of the closest two atoms, periodic images included.
    :param volume_ratio: volume of the cell, in units of that at the start.
    :param energy_disagreement: standard deviation over the members / sqrt(atoms), eV.
    :param force_disagreement_mean: mean over atoms, eV/angstrom; NaN if not computed.
    :param force_disagreement_max: largest of all atoms, eV/angstrom; NaN if not computed.
    :param novelty: distance from the labelled configurations; NaN if not computed.
    """

    time_ps: float
    is_last: bool
    is_finite: bool
    temperature_k: float
    closest_contact_angstrom: float
    volume_ratio: float
    energy_disagreement: float
    force_disagreement_mean: float
    force_disagreement_max: float
    novelty: float = math.nan


def judge(measured: Measurement, *, settings: SamplingSettings, thresholds: Thresholds) -> StopReason | None:
    """Return why the trajectory ends here, or None if it continues.

    Unphysical states come first, at any time; then disagreement and novelty, from ``min_time_ps`` on; then
    the last step.
    """
    is_active = settings.selection == 'active'
    reason = _unphysical(measured, settings)
    if reason is None and is_active and settings.counts_at(measured.time_ps):
        reason = _disagreement(measured, thresholds)
    if reason is None and measured.is_last:
        reason = StopReason.COMPLETED if is_active else StopReason.DRAWN
    return reason


def _unphysical(measured: Measurement, settings: SamplingSettings) -> StopReason | None:
    """Return why the state is unphysical, or None."""
    if not measured.is_finite:
        return StopReason.NOT_FINITE
    if measured.temperature_k > settings.max_temperature_k:
        return StopReason.TEMPERATURE
    if measured.closest_contact_angstrom < settings.min_contact_angstrom:
        return StopReason.CLOSE_CONTACT
    if not _VOLUME_RATIOS[0] <= measured.volume_ratio <= _VOLUME_RATIOS[1]:
        return StopReason.VOLUME
    return None


def _disagreement(measured: Measurement, thresholds: Thresholds) -> StopReason | None:
    """Return the first disagreement or novelty above its threshold, or None; comparisons with NaN are false."""
    limits = (
        (StopReason.ENERGY_DISAGREEMENT, measured.energy_disagreement, thresholds.energy_ev_per_sqrt_atom),
        (StopReason.FORCE_DISAGREEMENT_MAX, measured.force_disagreement_max, thresholds.force_max_ev_per_angstrom),
        (StopReason.FORCE_DISAGREEMENT_MEAN, measured.force_disagreement_mean, thresholds.force_mean_ev_per_angstrom),
        (StopReason.NOVELTY, measured.novelty, thresholds.novelty),
    )
    for reason, value, limit in limits:
        if limit is not None and value > limit:
            return reason
    return None


@dataclass(frozen=True, eq=False)
class Survey:
    """Measurements on T trajectories, each ``[T]``.

    :param steps: number of time steps since the start.
    :param times_ps: time since the start.
    :param are_last: whether this is the last step.
    :param are_finite: whether energies and forces are finite.
    :param temperatures_k: kinetic temperatures.
    :param targets_k: target temperatures of the schedules.
    :param contacts_angstrom: distance of the closest two atoms.
    :param energies: potential energies, mean of the members, eV.
    :param energy_disagreement: standard deviation over the members / sqrt(atoms), eV.
    :param force_mean: force disagreement, mean over atoms, eV/angstrom; NaN if not computed.
    :param force_max: force disagreement, largest of all atoms, eV/angstrom; NaN if not computed.
    :param novelty: distance from the labelled configurations; NaN if not computed.
    """

    steps: list[int]
    times_ps: list[float]
    are_last: NDArray[np.bool_]
    are_finite: NDArray[np.bool_]
    temperatures_k: NDArray[np.float64]
    targets_k: NDArray[np.float64]
    contacts_angstrom: list[float]
    energies: NDArray[np.float64]
    energy_disagreement: NDArray[np.float64]
    force_mean: NDArray[np.float64]
    force_max: NDArray[np.float64]
    novelty: NDArray[np.float64]

    @classmethod
    def take(
        cls,
        dynamics: Dynamics,
        prediction: Prediction,
        *,
        are_last: NDArray[np.bool_],
        novelty: NDArray[np.float64] | None = None,
    ) -> Self:
        """Measure all trajectories of ``dynamics``; ``prediction`` must be that at the current positions."""
        batch = dynamics.batch
        force_mean, force_max = _force_disagreement(prediction, batch)
        # Arithmetic with values that are not finite would raise warnings.
        with np.errstate(invalid='ignore', over='ignore'):
            energy_disagreement = prediction.energy_disagreement
        return cls(
            steps=batch.steps.tolist(),
            times_ps=dynamics.times_ps(),
            are_last=are_last,
            are_finite=are_finite(prediction, batch),
            temperatures_k=dynamics.temperatures(),
            targets_k=dynamics.target_temperatures(),
            contacts_angstrom=dynamics.closest_contacts(),
            energies=prediction.energies,
            energy_disagreement=energy_disagreement,
            force_mean=force_mean,
            force_max=force_max,
            novelty=np.full(len(batch), np.nan) if novelty is None else novelty,
        )

    def measurement(self, trajectory: int, *, volume_ratio: float) -> Measurement:
        """Return the measurements on one trajectory; those of the volume are not in the survey."""
        return Measurement(
            time_ps=self.times_ps[trajectory],
            is_last=bool(self.are_last[trajectory]),
            is_finite=bool(self.are_finite[trajectory]),
            temperature_k=float(self.temperatures_k[trajectory]),
            closest_contact_angstrom=self.contacts_angstrom[trajectory],
            volume_ratio=volume_ratio,
            energy_disagreement=float(self.energy_disagreement[trajectory]),
            force_disagreement_mean=float(self.force_mean[trajectory]),
            force_disagreement_max=float(self.force_max[trajectory]),
            novelty=float(self.novelty[trajectory]),
        )

    def frame(self, trajectory: int, batch: TrajectoryBatch) -> Frame:
        """Return the current frame of one trajectory."""
        atoms = batch.atoms(trajectory)
        return Frame(
            lattice=batch.lattices[trajectory].copy(),
            positions=batch.positions[atoms].copy(),
            velocities=batch.velocities[atoms].astype(np.float32),
            step=self.steps[trajectory],
            time_ps=self.times_ps[trajectory],
            energy=float(self.energies[trajectory]),
            energy_disagreement=float(self.energy_disagreement[trajectory]),
            force_disagreement_mean=float(self.force_mean[trajectory]),
            force_disagreement_max=float(self.force_max[trajectory]),
            target_temperature_k=float(self.targets_k[trajectory]),
            temperature_k=float(self.temperatures_k[trajectory]),
        )


def are_finite(prediction: Prediction, batch: TrajectoryBatch) -> NDArray[np.bool_]:
    """Return ``[T]``: whether the energies of all members are finite and no force is larger than meaningful or NaN."""
    energies = np.isfinite(prediction.member_energies).all(axis=0)
    return np.asarray(energies & are_within(batch.forces, batch.offsets, _MEANINGLESS_FORCE))


def _force_disagreement(
    prediction: Prediction, batch: TrajectoryBatch
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and maximum over atoms, each ``[T]``, NaN if the members' forces were not computed."""
    if prediction.member_forces is None:
        unknown = np.full(len(batch), np.nan)
        return unknown, unknown
    with np.errstate(invalid='ignore', over='ignore'):
        by_atom = prediction.force_disagreement
        first = batch.offsets[:-1]
        return np.add.reduceat(by_atom, first) / batch.n_atoms, np.maximum.reduceat(by_atom, first)
