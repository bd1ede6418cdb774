"""What is measured on all trajectories of some dynamics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.potential.engine import Prediction
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.dynamics import Dynamics
from aiida_anial.sampling.loops import are_within
from aiida_anial.sampling.stop_rules import Measurement
from aiida_anial.sampling.trajectory import Frame

__all__ = ('Survey', 'are_finite')

# In eV/angstrom: an atom under it flies through any cell in one time step, to where coordinates lose their digits.
_MEANINGLESS_FORCE = 1e5


@dataclass(frozen=True, eq=False)
class Survey:
    """Measurements on T trajectories, each ``[T]``.

    :param steps: time steps since the start.
    :param times_ps: time since the start.
    :param are_last: whether t_max is reached.
    :param are_finite: whether energy and forces are finite.
    :param temperatures_k: kinetic.
    :param targets_k: of the schedules.
    :param contacts_angstrom: distance of the closest two atoms.
    :param energies: eV.
    :param energy_disagreement: eV.
    :param force_mean: force disagreement, mean over atoms, eV/angstrom; NaN: not computed.
    :param force_max: force disagreement, largest of all atoms, eV/angstrom; NaN: not computed.
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

    @classmethod
    def take(cls, dynamics: Dynamics, prediction: Prediction, *, are_last: NDArray[np.bool_]) -> Self:
        """Return what there is to measure, the prediction being that at the present positions."""
        batch = dynamics.batch
        force_mean, force_max = _force_disagreement(prediction, batch)
        # Where values are not finite already, arithmetic with them is expected to be invalid.
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
        )

    def measurement(self, trajectory: int) -> Measurement:
        """Return what the stop rules look at for one trajectory."""
        return Measurement(
            time_ps=self.times_ps[trajectory],
            is_last=bool(self.are_last[trajectory]),
            is_finite=bool(self.are_finite[trajectory]),
            temperature_k=float(self.temperatures_k[trajectory]),
            closest_contact_angstrom=self.contacts_angstrom[trajectory],
            energy_disagreement=float(self.energy_disagreement[trajectory]),
            force_disagreement_mean=float(self.force_mean[trajectory]),
            force_disagreement_max=float(self.force_max[trajectory]),
        )

    def frame(self, trajectory: int, batch: TrajectoryBatch) -> Frame:
        """Return the snapshot of one trajectory."""
        atoms = batch.atoms(trajectory)
        return Frame(
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
    """Return ``[T]`` whether the energies of all members and the forces are finite, and no force beyond all meaning."""
    energies = np.isfinite(prediction.member_energies).all(axis=0)
    return np.asarray(energies & are_within(batch.forces, batch.offsets, _MEANINGLESS_FORCE))


def _force_disagreement(
    prediction: Prediction, batch: TrajectoryBatch
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``[T]`` mean and maximum over atoms, NaN where the members' forces were not computed."""
    if prediction.member_forces is None:
        unknown = np.full(len(batch), np.nan)
        return unknown, unknown
    with np.errstate(invalid='ignore', over='ignore'):
        by_atom = prediction.force_disagreement
        first = batch.offsets[:-1]
        return np.add.reduceat(by_atom, first) / batch.n_atoms, np.maximum.reduceat(by_atom, first)
