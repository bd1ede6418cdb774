"""The progress of a task, and its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.trajectory import Frame, Trajectory, stack, unstack

__all__ = ('Progress', 'Record', 'read_checkpoint', 'write_checkpoint')

_KIND = 'sampling_checkpoint'
_SCHEMA_VERSION = 4


@dataclass(eq=False)
class Record:
    """The record of a running trajectory.

    :param frames: stored frames, the first of which is the initial cell.
    :param last_sound: configuration at the last check, whether or not it is stored.
    :param highest: the configuration of highest energy disagreement that ``compare`` was given, None if none was.
    :param max_temperature_k: highest kinetic temperature at a check.
    """

    frames: list[Frame]
    last_sound: Frame
    max_temperature_k: float
    highest: Frame | None = None

    def add(self, frame: Frame, *, store: bool) -> None:
        """Record a sound configuration, and store it as a frame if ``store`` is true."""
        if frame.step > self.last_sound.step:
            self.last_sound = frame
            if store:
                self.frames.append(frame)

    def compare(self, frame: Frame) -> None:
        """Keep a sound configuration if no other has a higher energy disagreement."""
        if self.highest is None or frame.energy_disagreement > self.highest.energy_disagreement:
            self.highest = frame

    def others(self) -> list[Frame]:
        """Return the frame of the highest disagreement, if there is one, and the last sound one."""
        return [self.last_sound] if self.highest is None else [self.highest, self.last_sound]

    def all_frames(self) -> list[Frame]:
        """Return the stored frames and ``others``, in order of time."""
        by_step = {frame.step: frame for frame in [*self.frames, *self.others()]}
        return [by_step[step] for step in sorted(by_step)]


@dataclass(eq=False)
class Progress:
    """The state of a task; trajectories that are neither running nor ended have not begun.

    :param batch: state of the running trajectories.
    :param records: records of the running trajectories, by index.
    :param ended: trajectories that have ended, by index.
    """

    batch: TrajectoryBatch
    records: dict[int, Record] = field(default_factory=dict)
    ended: dict[int, Trajectory] = field(default_factory=dict)


def write_checkpoint(path: Path, progress: Progress, *, fingerprint: str) -> None:
    """Write a checkpoint, from which the task continues to bitwise the same trajectories.

    :param fingerprint: identifies the inputs of the task.
    """
    batch = progress.batch
    arrays = {f'batch.{name}': getattr(batch, name) for name in TrajectoryBatch.ARRAYS}
    metadata: dict[str, Any] = {
        'fingerprint': fingerprint,
        'generators': [_generator_state(generator) for generator in batch.generators],
        'records': {},
        'ended': {},
    }
    for index, record in progress.records.items():
        arrays |= _prefixed(f'record.{index}.', stack([*record.frames, *record.others()]))
        metadata['records'][str(index)] = [len(record.frames), record.max_temperature_k, record.highest is not None]
    for index, trajectory in progress.ended.items():
        content = trajectory.content()
        arrays |= _prefixed(f'ended.{index}.', content.arrays)
        metadata['ended'][str(index)] = content.metadata
    write_tensors(path, TensorFile(_KIND, _SCHEMA_VERSION, metadata, arrays))


def read_checkpoint(path: Path, *, fingerprint: str) -> Progress:
    """Return the progress in the checkpoint ``path``.

    :raises FileFormatError: if the file is not a complete checkpoint.
    :raises AnialError: if it belongs to a task with other inputs.
    """
    content = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION)
    metadata, arrays = content.metadata, content.arrays
    if metadata.get('fingerprint') != fingerprint:
        raise AnialError(f'{path}: belongs to a sampling with other inputs; remove it to start again.')
    try:
        # Copies, because the batch changes in place.
        state = {name: np.array(arrays[f'batch.{name}']) for name in TrajectoryBatch.ARRAYS}
        generators = [_generator(values) for values in metadata['generators']]
        records = {
            int(index): _record(_unprefixed(f'record.{index}.', arrays), *values)
            for index, values in metadata['records'].items()
        }
        ended = {
            int(index): Trajectory.from_arrays(values, _unprefixed(f'ended.{index}.', arrays))
            for index, values in metadata['ended'].items()
        }
        return Progress(TrajectoryBatch(**state, generators=generators), records, ended)
    except (AnialError, KeyError, TypeError, ValueError, IndexError) as exception:
        raise FileFormatError(f'{path}: not a complete checkpoint ({exception}).') from exception


def _record(
    arrays: Mapping[str, np.ndarray], n_stored: int, max_temperature_k: float, has_highest: bool = False
) -> Record:
    """Return the record whose frames and ``others`` were stacked into ``arrays``.

    :param has_highest: whether the first of ``others`` is the one of the highest disagreement.
    """
    frames = unstack(arrays)
    return Record(frames[:n_stored], frames[-1], max_temperature_k, frames[n_stored] if has_highest else None)


def _prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {prefix + name: array for name, array in arrays.items()}


def _unprefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _generator_state(generator: Generator) -> dict[str, Any]:
    """Return the state as JSON values, with its two 128-bit integers as text, because JSON readers may round them."""
    state: Any = generator.bit_generator.state
    return {
        'state': str(state['state']['state']),
        'inc': str(state['state']['inc']),
        'has_uint32': int(state['has_uint32']),
        'uinteger': int(state['uinteger']),
    }


def _generator(values: Mapping[str, Any]) -> Generator:
    """Return the generator whose state ``_generator_state`` gave."""
    source = PCG64()
    source.state = {
        'bit_generator': 'PCG64',
        'state': {'state': int(values['state']), 'inc': int(values['inc'])},
        'has_uint32': values['has_uint32'],
        'uinteger': values['uinteger'],
    }
    return Generator(source)
