"""Snapshots of a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ('SCALARS', 'Frame', 'stack', 'unstack')


@dataclass(frozen=True, eq=False)
class Frame:
    """A configuration of n atoms on a trajectory, and what was measured there.

    :param positions: ``[n, 3]`` angstrom, float64, not wrapped into the cell.
    :param velocities: ``[n, 3]`` angstrom/fs, float32.
    :param step: time steps since the start.
    :param time_ps: time since the start.
    :param energy: potential energy, mean of the members, eV.
    :param energy_disagreement: standard deviation over the members / sqrt(n), eV.
    :param force_disagreement_mean: mean over atoms, eV/angstrom; NaN where no force threshold is set.
    :param force_disagreement_max: largest of all atoms, eV/angstrom; NaN where no force threshold is set.
    :param target_temperature_k: of the schedule.
    :param temperature_k: kinetic, all 3 n degrees of freedom counted.
    """

    positions: NDArray[np.float64]
    velocities: NDArray[np.float32]
    step: int
    time_ps: float
    energy: float
    energy_disagreement: float
    force_disagreement_mean: float
    force_disagreement_max: float
    target_temperature_k: float
    temperature_k: float


# Name of the array over frames -> name of the value in one frame.
SCALARS = {
    'steps': 'step',
    'times_ps': 'time_ps',
    'energies': 'energy',
    'energy_disagreement': 'energy_disagreement',
    'force_disagreement_mean': 'force_disagreement_mean',
    'force_disagreement_max': 'force_disagreement_max',
    'target_temperatures_k': 'target_temperature_k',
    'temperatures_k': 'temperature_k',
}
_ARRAYS = {'positions': 'positions', 'velocities': 'velocities'} | SCALARS
assert set(_ARRAYS.values()) == {field.name for field in fields(Frame)}


def stack(frames: Sequence[Frame]) -> dict[str, np.ndarray]:
    """Return the values of all frames by name, frames along the first axis; there must be one at least."""
    return {name: np.stack([np.asarray(getattr(frame, key)) for frame in frames]) for name, key in _ARRAYS.items()}


def unstack(arrays: Mapping[str, np.ndarray]) -> list[Frame]:
    """Return the frames that ``stack`` was given."""
    frames = []
    for row in range(len(arrays['steps'])):
        values = {key: arrays[name][row] for name, key in _ARRAYS.items()}
        frames.append(Frame(**{key: value.item() if value.ndim == 0 else value for key, value in values.items()}))
    return frames
