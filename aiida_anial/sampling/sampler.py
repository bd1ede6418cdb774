"""The sampling of active learning: molecular dynamics that stop where the members of the ensemble disagree."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.engine import Engine, Prediction
from aiida_anial.sampling.batch import TrajectoryBatch
from aiida_anial.sampling.duplicates import compared
from aiida_anial.sampling.dynamics import Dynamics
from aiida_anial.sampling.loops import closest_contact
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.progress import Progress, Record, read_checkpoint, write_checkpoint
from aiida_anial.sampling.schedules import SamplingTask
from aiida_anial.sampling.stop_rules import Measurement, Survey, are_finite, judge
from aiida_anial.sampling.trajectory import StopReason, Trajectory, stack

__all__ = ('SamplingInterrupted', 'sample')

_CHECKPOINT_EVERY_S = 60.0
# The first checkpoints come sooner, so that a short job that is killed can continue, too.
_FIRST_CHECKPOINT_S = 5.0
# Checkpoints grow with the stored frames; writing them takes at most this share of the time.
_CHECKPOINT_SHARE = 0.05
_REPORT_EVERY_S = 30.0


class SamplingInterrupted(Exception):  # noqa: N818 - not an error: the sampling continues from its checkpoint
    """The sampling was asked to stop; its checkpoint has been written."""


def sample(
    task: SamplingTask,
    *,
    engine: Engine,
    checkpoint: Path,
    fingerprint: str,
    interrupted: Callable[[], bool],
    report: Callable[[str], None],
    novelty: Novelty | None = None,
) -> tuple[Trajectory, ...]:
    """Run all trajectories to their end and return them in the order of their cells.

    :param task: cells, schedules and settings.
    :param engine: evaluates the ensemble.
    :param checkpoint: file to continue from if it exists; written every minute, more often at first, and on
        interruption. A continued sampling gives bitwise the same trajectories as an uninterrupted one.
    :param fingerprint: identifies all inputs, including the ensemble; a checkpoint with another one is refused.
    :param interrupted: called before each time step; if it returns true, the sampling stops.
    :param report: called with lines on the progress.
    :param novelty: measures the distance from the labelled configurations; needed if the task limits it.
    :raises SamplingInterrupted: if ``interrupted`` returned true; the checkpoint has been written.
    :raises AnialError: if an initial cell is unphysical, the checkpoint cannot be used, or ``novelty`` is missing.
    """
    if novelty is None and task.settings.compares(task.thresholds):
        raise AnialError('novelty: the labelled configurations are needed to measure it.')
    sampler = _Sampler(task, engine, report, novelty)
    if checkpoint.exists():
        sampler.resume(read_checkpoint(checkpoint, fingerprint=fingerprint))
        report(f'continuing: {sampler.status()}')
    else:
        _refuse_close_contacts(task, engine)
    sampler.fill()

    def save() -> None:
        write_checkpoint(checkpoint, sampler.progress(), fingerprint=fingerprint)

    clock = _Clock(save, lambda: report(sampler.status()))
    while sampler.is_running:
        if interrupted():
            save()
            raise SamplingInterrupted(f'interrupted: {sampler.status()}')
        sampler.advance()
        clock.tick()
    trajectories = tuple(sampler.ended[index] for index in range(len(task.cells)))
    return trajectories if novelty is None else compared(trajectories, novelty, task.settings.duplicate_novelty)


class _Clock:
    """Calls ``save`` and ``report`` at intervals."""

    def __init__(self, save: Callable[[], None], report: Callable[[], None]) -> None:
        self._save, self._report = save, report
        now = time.monotonic()
        self._interval = min(_FIRST_CHECKPOINT_S, _CHECKPOINT_EVERY_S)
        self._next_save, self._next_report = now + self._interval, now + _REPORT_EVERY_S

    def tick(self) -> None:
        """Save and report if it is time."""
        now = time.monotonic()
        if now >= self._next_report:
            self._report()
            self._next_report = now + _REPORT_EVERY_S
        if now >= self._next_save:
            self._save()
            after = time.monotonic()
            self._interval = min(2 * self._interval, _CHECKPOINT_EVERY_S)
            self._next_save = after + max(self._interval, (after - now) / _CHECKPOINT_SHARE)


class _Sampler:
    """Starts trajectories, steps the dynamics, applies the stop rules, and collects the trajectories that end."""

    def __init__(
        self, task: SamplingTask, engine: Engine, report: Callable[[str], None], novelty: Novelty | None
    ) -> None:
        self.ended: dict[int, Trajectory] = {}
        self._task = task
        self._engine = engine
        self._report = report
        self._novelty = novelty if task.thresholds.novelty is not None else None
        self._n_steps = np.array([task.n_steps(index) for index in range(len(task.cells))])
        self._waiting = deque(range(len(task.cells)))
        self._records: dict[int, Record] = {}
        self._dynamics = self._start([])

    @property
    def is_running(self) -> bool:
        """Whether there are trajectories that have not ended."""
        return len(self.ended) < len(self._task.cells)

    def status(self) -> str:
        """Return one line on the progress of the task."""
        furthest = max(self._dynamics.times_ps(), default=0.0)
        return (
            f'{len(self.ended)} of {len(self._task.cells)} trajectories have ended, {len(self._records)} are running, '
            f'the furthest at {furthest:.3f} ps'
        )

    def progress(self) -> Progress:
        """Return the state from which the task can continue."""
        return Progress(self._dynamics.batch, self._records, self.ended)

    def resume(self, progress: Progress) -> None:
        """Continue from ``progress``."""
        self.ended, self._records = progress.ended, progress.records
        self._waiting = deque(index for index in self._waiting if index not in self.ended | self._records)
        self._dynamics = self._of(progress.batch)

    def fill(self) -> None:
        """Start waiting trajectories until the batch is full."""
        while room := self._room():
            self._begin([self._waiting.popleft() for _ in range(room)])

    def advance(self) -> None:
        """Advance the running trajectories by one time step, and replace those that end."""
        self._step()
        self.fill()

    def _room(self) -> int:
        """Return the number of trajectories that may start now.

        They start only at a check of the running ones, so that all trajectories are checked at the same steps: checks
        may need the forces of all members, which cost more.
        """
        settings, steps = self._task.settings, self._dynamics.batch.steps
        if len(steps) and (not settings.refill or steps[0] % settings.check_interval):
            return 0
        size = settings.batch_size or len(self._n_steps)
        return max(0, min(size - len(steps), len(self._waiting)))

    def _start(self, indices: list[int]) -> Dynamics:
        """Return the dynamics of trajectories at their start, without forces."""
        cells = self._task.cells.select(indices)
        task = self._task
        return self._of(TrajectoryBatch.start(cells, indices=indices, schedules=task.schedules, seed=task.seed))

    def _of(self, batch: TrajectoryBatch) -> Dynamics:
        task = self._task
        return Dynamics(batch, schedules=task.schedules, engine=self._engine, settings=task.settings)

    def _begin(self, indices: list[int]) -> None:
        """Start the trajectories ``indices``, and check them."""
        fresh = self._start(indices)
        survey = self._survey(fresh, fresh.evaluate(member_forces=self._task.thresholds.need_forces))
        for trajectory, index in enumerate(indices):
            frame = survey.frame(trajectory, fresh.batch)
            self._records[index] = Record([frame], frame, frame.temperature_k)
        self._dynamics = self._dynamics.joined(self._look(fresh, survey))

    def _step(self) -> None:
        """Make one time step, and apply the stop rules at checks, at the end, and to broken trajectories."""
        dynamics, settings, need_forces = self._dynamics, self._task.settings, self._task.thresholds.need_forces
        batch = dynamics.batch
        # All trajectories are in step, see _room.
        is_check = (batch.steps[0] + 1) % settings.check_interval == 0
        prediction = dynamics.step(member_forces=need_forces and bool(is_check))
        if is_check:
            self._dynamics = self._look(dynamics, self._survey(dynamics, prediction))
            return
        # At every step, so that a broken trajectory never gives the engine numbers that it cannot handle.
        are_sound = are_finite(prediction, batch) & (dynamics.temperatures() <= settings.max_temperature_k)
        are_ending = ~are_sound | (batch.steps == self._n_steps[batch.indices])
        if are_ending.any():
            # Those that end are evaluated again, separately. The last digits of the mean force may depend on whether
            # the forces of members are computed, and the others must not depend on whether a trajectory ends here.
            ending = dynamics.select(are_ending)
            survey = self._survey(ending, ending.evaluate(member_forces=need_forces))
            self._dynamics = dynamics.select(~are_ending).joined(self._look(ending, survey))

    def _survey(self, dynamics: Dynamics, prediction: Prediction) -> Survey:
        """Return the measurements on all trajectories of ``dynamics``."""
        batch = dynamics.batch
        return Survey.take(
            dynamics,
            prediction,
            are_last=batch.steps == self._n_steps[batch.indices],
            novelty=None if self._novelty is None else dynamics.novelties(self._novelty),
        )

    def _look(self, dynamics: Dynamics, survey: Survey) -> Dynamics:
        """Apply the stop rules, and return the dynamics of the trajectories that continue."""
        batch, settings = dynamics.batch, self._task.settings
        keep = np.ones(len(batch), dtype=bool)
        for trajectory, index in enumerate(batch.indices.tolist()):
            ratio = abs(np.linalg.det(batch.lattices[trajectory])) / self._task.cells.volumes[index]
            measured = survey.measurement(trajectory, volume_ratio=float(ratio))
            reason = judge(measured, settings=settings, thresholds=self._task.thresholds)
            record = self._records[index]
            record.max_temperature_k = float(np.fmax(record.max_temperature_k, measured.temperature_k))
            if reason is None or reason.is_physical:
                frame = survey.frame(trajectory, batch)
                record.add(frame, store=frame.step % settings.frame_interval == 0)
                if settings.candidate_at_t_max == 'highest' and settings.counts_at(frame.time_ps):
                    record.compare(frame)
            if reason is not None:
                keep[trajectory] = False
                self._end(index, reason, survey.steps[trajectory], measured)
        return dynamics if keep.all() else dynamics.select(keep)

    def _end(self, index: int, reason: StopReason, step: int, measured: Measurement) -> None:
        """Move a trajectory from the running to the ended ones."""
        record = self._records.pop(index)
        frames = record.all_frames()
        chosen = record.highest if reason is StopReason.COMPLETED else None
        steps = [frame.step for frame in frames]
        candidate = len(frames) - 1 if chosen is None else steps.index(chosen.step)
        contact = measured.closest_contact_angstrom
        arrays: dict[str, Any] = stack(frames)
        self.ended[index] = Trajectory(
            index=index,
            species=np.array(self._task.cells.species_of(index)),
            **arrays,
            stop_reason=reason,
            stop_step=step,
            stop_time_ps=measured.time_ps,
            candidate_frame=candidate,
            max_temperature_k=record.max_temperature_k,
            closest_contact_angstrom=contact if np.isfinite(contact) else None,
        )
        self._report(
            f'trajectory {index} ended at {measured.time_ps:.3f} ps: {reason}, candidate at '
            f'{frames[candidate].time_ps:.3f} ps with a disagreement of '
            f'{frames[candidate].energy_disagreement:.4f} eV/sqrt(atom)'
        )


def _refuse_close_contacts(task: SamplingTask, engine: Engine) -> None:
    """Check the contacts in the initial cells.

    :raises AnialError: if two atoms are closer than ``min_contact_angstrom``, or that exceeds the cutoff.
    """
    limit = task.settings.min_contact_angstrom
    for index in range(len(task.cells)):
        cell = task.cells.select([index])
        (pairs,) = engine.neighbours(cell, skin=0.0)
        if pairs.cutoff < limit:
            raise AnialError(
                f'min_contact_angstrom: {limit:g} is beyond the cutoff of the potential ({pairs.cutoff:g} angstrom), '
                f'within which contacts are looked for.'
            )
        contact = closest_contact(cell.positions, pairs)
        if contact < limit:
            raise AnialError(
                f'cells: two atoms of cell {index} are {contact:.3f} angstrom apart, closer than '
                f'settings.min_contact_angstrom ({limit:g}).'
            )
