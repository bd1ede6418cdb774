"""A trajectory: its frames, why it ended, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import stored_species
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors

__all__ = ('SCALARS', 'Frame', 'StopReason', 'Trajectory', 'stack', 'unstack')


class StopReason(StrEnum):
    """Why a trajectory ended."""

    COMPLETED = 'completed'
    DRAWN = 'drawn'
    ENERGY_DISAGREEMENT = 'energy_disagreement'
    FORCE_DISAGREEMENT_MEAN = 'force_disagreement_mean'
    FORCE_DISAGREEMENT_MAX = 'force_disagreement_max'
    NOVELTY = 'novelty'
    CLOSE_CONTACT = 'close_contact'
    TEMPERATURE = 'temperature'
    VOLUME = 'volume'
    NOT_FINITE = 'not_finite'

    @property
    def is_physical(self) -> bool:
        """Whether the configuration at the end is physical, and therefore the candidate for a label."""
        return self not in (
            StopReason.CLOSE_CONTACT,
            StopReason.TEMPERATURE,
            StopReason.VOLUME,
            StopReason.NOT_FINITE,
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """A configuration of n atoms on a trajectory, with measurements.

    :param lattice: ``[3, 3]`` lattice vectors, angstrom, float64.
    :param positions: ``[n, 3]`` angstrom, float64, not wrapped into the cell.
    :param velocities: ``[n, 3]`` angstrom/fs, float32.
    :param step: number of time steps since the start.
    :param time_ps: time since the start.
    :param energy: potential energy, mean of the members, eV.
    :param energy_disagreement: standard deviation over the members / sqrt(n), eV.
    :param force_disagreement_mean: mean over atoms, eV/angstrom; NaN where no force threshold is set.
    :param force_disagreement_max: largest of all atoms, eV/angstrom; NaN where no force threshold is set.
    :param target_temperature_k: temperature of the schedule.
    :param temperature_k: kinetic temperature of all 3 n degrees of freedom.
    """

    lattice: NDArray[np.float64]
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


# Name of the array over frames, and name of the value in one frame.
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
_ARRAYS = {'lattices': 'lattice', 'positions': 'positions', 'velocities': 'velocities'} | SCALARS
assert set(_ARRAYS.values()) == {field.name for field in fields(Frame)}


def stack(frames: Sequence[Frame]) -> dict[str, np.ndarray]:
    """Return the values of all frames by name, with frames along the first axis; there must be at least one."""
    return {name: np.stack([np.asarray(getattr(frame, key)) for frame in frames]) for name, key in _ARRAYS.items()}


def unstack(arrays: Mapping[str, np.ndarray]) -> list[Frame]:
    """Return the frames that ``stack`` joined into ``arrays``."""
    frames = []
    for row in range(len(arrays['steps'])):
        values = {key: arrays[name][row] for name, key in _ARRAYS.items()}
        frames.append(Frame(**{key: value.item() if value.ndim == 0 else value for key, value in values.items()}))
    return frames


_KIND = 'trajectory'
_SCHEMA_VERSION = 3
_UNITS = {
    'length': 'angstrom',
    'velocity': 'angstrom/fs',
    'energy': 'eV',
    'force': 'eV/angstrom',
    'time': 'ps',
    'temperature': 'K',
}
_END = ('index', 'stop_reason', 'stop_step', 'stop_time_ps', 'candidate_frame', 'max_temperature_k')
_OPTIONAL_END = ('closest_contact_angstrom', 'candidate_novelty', 'duplicate_of')


@dataclass(frozen=True, eq=False)
class Trajectory:
    """S thinned frames of n atoms, and how the trajectory ended.

    All frames are sound. The first is the initial cell. The last is the configuration at the end if disagreement,
    t_max or a random draw ended the trajectory, otherwise the last sound one before the end. It is the candidate for a
    label, unless ``candidate_at_t_max`` chose an earlier one.

    :param index: index of the trajectory in its task, also that of its cell and schedule.
    :param species: ``[n]`` atomic numbers, int16.
    :param lattices: ``[S, 3, 3]`` lattice vectors, angstrom.
    :param positions: ``[S, n, 3]`` angstrom, not wrapped into the cell, float64.
    :param velocities: ``[S, n, 3]`` angstrom/fs, float32.
    :param steps: ``[S]`` number of time steps since the start.
    :param times_ps: ``[S]`` time since the start.
    :param energies: ``[S]`` potential energies, eV.
    :param energy_disagreement: ``[S]`` standard deviation over the members / sqrt(n), eV.
    :param force_disagreement_mean: ``[S]`` mean over atoms, eV/angstrom; NaN where no force threshold was set.
    :param force_disagreement_max: ``[S]`` largest of all atoms, eV/angstrom; NaN where no force threshold was set.
    :param target_temperatures_k: ``[S]`` temperatures of the schedule.
    :param temperatures_k: ``[S]`` kinetic temperatures of all 3 n degrees of freedom.
    :param stop_reason: why the trajectory ended.
    :param stop_step: number of time steps until the end, which is after the last frame if the end was unphysical.
    :param stop_time_ps: time until the end.
    :param candidate_frame: index of the frame that is the candidate for a label.
    :param max_temperature_k: highest kinetic temperature at a check, the end included.
    :param closest_contact_angstrom: distance of the closest two atoms at the end, periodic images included; None if it
        is beyond the cutoff of the potential.
    :param candidate_novelty: novelty of the candidate, None if it was not measured.
    :param duplicate_of: index of an earlier trajectory with almost the same candidate, None if there is none.
    :raises AnialError: if the shapes do not fit.
    """

    SCALARS: ClassVar[tuple[str, ...]] = tuple(SCALARS)

    index: int
    species: NDArray[np.int16]
    lattices: NDArray[np.float64]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float32]
    steps: NDArray[np.int64]
    times_ps: NDArray[np.float64]
    energies: NDArray[np.float64]
    energy_disagreement: NDArray[np.float64]
    force_disagreement_mean: NDArray[np.float64]
    force_disagreement_max: NDArray[np.float64]
    target_temperatures_k: NDArray[np.float64]
    temperatures_k: NDArray[np.float64]
    stop_reason: StopReason
    stop_step: int
    stop_time_ps: float
    candidate_frame: int
    max_temperature_k: float
    closest_contact_angstrom: float | None
    candidate_novelty: float | None = None
    duplicate_of: int | None = None

    def __post_init__(self) -> None:
        n_frames = len(self.steps)
        shape = (n_frames, self.n_atoms, 3)
        if self.positions.shape != shape or self.velocities.shape != shape:
            raise AnialError(f'trajectory {self.index}: {n_frames} frames and positions {self.positions.shape}.')
        if self.lattices.shape != (n_frames, 3, 3):
            raise AnialError(f'trajectory {self.index}: {n_frames} frames and lattices {self.lattices.shape}.')
        if self.species.shape != (self.n_atoms,):
            raise AnialError(f'trajectory {self.index}: {self.n_atoms} atoms and species {self.species.shape}.')
        if any(getattr(self, name).shape != (n_frames,) for name in self.SCALARS):
            raise AnialError(f'trajectory {self.index}: not all arrays have {n_frames} frames.')
        if not 0 <= self.candidate_frame < n_frames:
            raise AnialError(f'trajectory {self.index}: frame {self.candidate_frame} is not one of {n_frames}.')

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.positions.shape[1])

    def row(self) -> dict[str, Any]:
        """Return the row of this trajectory in a table of trajectories, as JSON values."""
        return {
            'index': self.index,
            'n_atoms': self.n_atoms,
            'n_frames': len(self.steps),
            'stop_reason': self.stop_reason.value,
            'stop_time_ps': self.stop_time_ps,
            'stop_step': self.stop_step,
            'candidate_frame': self.candidate_frame,
            'candidate_time_ps': float(self.times_ps[self.candidate_frame]),
            'candidate_energy_disagreement': _finite(self.energy_disagreement[self.candidate_frame]),
            'candidate_force_disagreement_max': _finite(self.force_disagreement_max[self.candidate_frame]),
            'max_temperature_k': _finite(self.max_temperature_k),
            **{name: getattr(self, name) for name in _OPTIONAL_END},
        }

    def content(self) -> TensorFile:
        """Return the arrays and metadata of the trajectory's file."""
        names = ('species', 'lattices', 'positions', 'velocities', *self.SCALARS)
        end = {name: getattr(self, name) for name in (*_END, *_OPTIONAL_END)}
        metadata = {'units': _UNITS, 'end': end}
        return TensorFile(_KIND, _SCHEMA_VERSION, metadata, {name: getattr(self, name) for name in names})

    @classmethod
    def from_arrays(cls, metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Return the trajectory whose ``content`` has this metadata and these arrays.

        :raises FileFormatError: if anything is missing or invalid.
        """
        try:
            end = {name: metadata['end'][name] for name in _END}
            end |= {name: metadata['end'].get(name) for name in _OPTIONAL_END}
            end['stop_reason'] = StopReason(end['stop_reason'])
            if 'lattice' in arrays:  # the fixed cell of a file of before
                arrays = {**arrays, 'lattices': np.repeat(arrays['lattice'][None], len(arrays['steps']), axis=0)}
            names = ('species', 'lattices', 'positions', 'velocities', *cls.SCALARS)
            values: dict[str, Any] = {name: arrays[name] for name in names} | end
            return cls(**values)
        except (KeyError, TypeError, ValueError) as exception:
            raise FileFormatError(f'not a complete trajectory ({exception}).') from exception

    def write(self, path: Path) -> None:
        """Write the trajectory to a safetensors file."""
        write_tensors(path, self.content())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the trajectory in the file ``path``.

        :raises FileFormatError: if the file is not a trajectory.
        """
        content = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION)
        try:
            return cls.from_arrays(content.metadata, {**content.arrays, 'species': stored_species(content)})
        except KeyError as exception:
            raise FileFormatError(f'{path}: not a complete trajectory ({exception}).') from exception
        except AnialError as exception:
            raise FileFormatError(f'{path}: {exception}') from exception


def _finite(value: float | np.float64) -> float | None:
    """Return ``value``, or None if it is not finite: neither JSON nor attributes of nodes can hold NaN or infinity."""
    return float(value) if np.isfinite(value) else None
