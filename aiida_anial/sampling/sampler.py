"""Molecular dynamics that stop where the ensemble disagrees: the sampling of active learning."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.engine import Engine
from aiida_anial.sampling.dynamics import Dynamics, Walkers
from aiida_anial.sampling.frames import stack
from aiida_anial.sampling.progress import Progress, Record, read_checkpoint, write_checkpoint
from aiida_anial.sampling.stop_rules import StopReason, judge
from aiida_anial.sampling.survey import Survey, are_finite
from aiida_anial.sampling.task import SamplingTask
from aiida_anial.sampling.trajectory import Trajectory

__all__ = ('SamplingInterrupted', 'sample')

_CHECKPOINT_EVERY_S = 60.0
# Checkpoints grow with the stored frames; writing them shall not take more than this share of the time.
_CHECKPOINT_SHARE = 0.05
_REPORT_EVERY_S = 30.0


class SamplingInterrupted(Exception):  # noqa: N818 - not an error: the sampling goes on from its checkpoint
    """The sampling was asked to stop; its checkpoint has been written."""


def sample(
    task: SamplingTask,
    *,
    engine: Engine,
    checkpoint: Path,
    fingerprint: str,
    interrupted: Callable[[], bool],
    report: Callable[[str], None],
) -> tuple[Trajectory, ...]:
    """Run all trajectories to their end and return them in the order of their cells.

    :param engine: evaluates the ensemble.
    :param checkpoint: file to go on from if it is there, written every minute and when interrupted. A continued
        sampling gives the same trajectories, to the last digit, as one that was never interrupted.
    :param fingerprint: of all inputs, the ensemble too; a checkpoint with another one is refused.
    :param interrupted: whether to stop now.
    :param report: takes lines on the progress.
    :raises SamplingInterrupted: if ``interrupted`` said so, after having written the checkpoint.
    :raises AnialError: if a cell is unphysical from the beginning, or the checkpoint cannot be used.
    """
    if checkpoint.exists():
        progress = read_checkpoint(checkpoint, fingerprint=fingerprint)
        sampler = _Sampler(task, progress, engine, report)
        report(f'continuing at step {progress.walkers.step}, {len(progress.ended)} trajectories have ended')
    else:
        walkers = Walkers.start(task.cells, schedules=task.schedules, seed=task.seed)
        sampler = _Sampler(task, Progress(walkers), engine, report)
        sampler.begin()

    def save() -> None:
        write_checkpoint(checkpoint, sampler.progress, fingerprint=fingerprint)

    clock = _Clock(save, lambda: report(sampler.status()))
    while sampler.is_running:
        if interrupted():
            save()
            raise SamplingInterrupted(f'interrupted: {sampler.status()}')
        sampler.advance()
        clock.tick()
    return tuple(sampler.progress.ended[index] for index in range(len(task.cells)))


class _Clock:
    """Saves and reports from time to time."""

    def __init__(self, save: Callable[[], None], report: Callable[[], None]) -> None:
        self._save, self._report = save, report
        now = time.monotonic()
        self._next_save, self._next_report = now + _CHECKPOINT_EVERY_S, now + _REPORT_EVERY_S

    def tick(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now >= self._next_report:
            self._report()
            self._next_report = now + _REPORT_EVERY_S
        if now >= self._next_save:
            self._save()
            after = time.monotonic()
            self._next_save = after + max(_CHECKPOINT_EVERY_S, (after - now) / _CHECKPOINT_SHARE)


class _Sampler:
    """Steps the dynamics, looks at them, and takes out the trajectories that end."""

    def __init__(self, task: SamplingTask, progress: Progress, engine: Engine, report: Callable[[str], None]) -> None:
        self.progress = progress
        self._task = task
        self._report = report
        self._n_steps = np.array([schedule.n_steps(task.settings.time_step_fs) for schedule in task.schedules])
        self._dynamics = Dynamics(progress.walkers, schedules=task.schedules, engine=engine, settings=task.settings)

    @property
    def is_running(self) -> bool:
        """Whether a trajectory has not ended."""
        return len(self.progress.walkers) > 0

    def status(self) -> str:
        """Return one line on how far the batch has come."""
        walkers = self.progress.walkers
        done = self._dynamics.time_ps(steps=walkers.step)
        return f'{done:.3f} ps, {len(walkers)} of {len(self._task.cells)} trajectories running'

    def begin(self) -> None:
        """Look at the initial cells.

        :raises AnialError: if two atoms of one are closer than ``min_contact_angstrom``.
        """
        prediction = self._dynamics.evaluate(member_forces=self._task.thresholds.need_forces)
        survey = Survey.take(self._dynamics, prediction, are_last=np.zeros(len(self.progress.walkers), dtype=bool))
        limit = self._task.settings.min_contact_angstrom
        for walker, contact in enumerate(survey.contacts_angstrom.tolist()):
            if contact < limit:
                raise AnialError(
                    f'cells: two atoms of cell {walker} are {contact:.3f} angstrom apart, closer than '
                    f'settings.min_contact_angstrom ({limit:g}).'
                )
            frame = survey.frame(walker, self.progress.walkers)
            self.progress.records[walker] = Record([frame], frame, frame.temperature_k)
        self._look(survey, np.arange(len(self.progress.walkers)))

    def advance(self) -> None:
        """Make one time step, and look at the trajectories where a check is due or something is wrong."""
        settings, walkers = self._task.settings, self.progress.walkers
        step = walkers.step + 1
        are_last = self._n_steps[walkers.indices] == step
        are_due = are_last | (step % settings.check_interval == 0)
        need_forces = self._task.thresholds.need_forces and bool(are_due.any())
        prediction = self._dynamics.step(member_forces=need_forces)
        # At every step, lest a broken trajectory drag the engine into numbers that it cannot handle.
        are_sound = are_finite(prediction, walkers) & (self._dynamics.temperatures() <= settings.max_temperature_k)
        looked_at = np.flatnonzero(are_due | ~are_sound)
        if len(looked_at):
            self._look(Survey.take(self._dynamics, prediction, are_last=are_last), looked_at)

    def _look(self, survey: Survey, looked_at: NDArray[np.int64]) -> None:
        """Apply the stop rules to the trajectories ``looked_at`` (counted among those running)."""
        walkers, settings = self.progress.walkers, self._task.settings
        keep = np.ones(len(walkers), dtype=bool)
        for walker in looked_at.tolist():
            index = int(walkers.indices[walker])
            reason = judge(survey.measurement(walker), settings=settings, thresholds=self._task.thresholds)
            record = self.progress.records[index]
            record.max_temperature_k = float(np.fmax(record.max_temperature_k, survey.temperatures_k[walker]))
            if reason is None or reason.is_physical:
                record.add(survey.frame(walker, walkers), store=survey.step % settings.frame_interval == 0)
            if reason is not None:
                keep[walker] = False
                self._end(index, reason, survey, float(survey.contacts_angstrom[walker]))
        if not keep.all():
            self._dynamics.keep(keep)
            self.progress.walkers = self._dynamics.walkers

    def _end(self, index: int, reason: StopReason, survey: Survey, contact: float) -> None:
        """Move a trajectory from the running ones to those that have ended."""
        record = self.progress.records.pop(index)
        frames = record.all_frames()
        trajectory = Trajectory(
            index=index,
            lattice=np.array(self._task.cells.lattices[index]),
            **stack(frames),
            stop_reason=reason,
            stop_step=survey.step,
            stop_time_ps=survey.time_ps,
            candidate_frame=len(frames) - 1,
            max_temperature_k=record.max_temperature_k,
            closest_contact_angstrom=contact if np.isfinite(contact) else None,
        )
        self.progress.ended[index] = trajectory
        self._report(
            f'trajectory {index} ended at {survey.time_ps:.3f} ps: {reason}, candidate at '
            f'{frames[-1].time_ps:.3f} ps with a disagreement of {frames[-1].energy_disagreement:.4f} eV/sqrt(atom)'
        )
