"""What a campaign will cost: labels, hours, disk and memory, before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiida_anial.active_learning.settings import CampaignInputs

__all__ = (
    'ENGINE_CPU_S',
    'JOB_S',
    'Forecast',
    'IterationForecast',
    'Speed',
    'forecast',
    'label_interval',
    'memory_mib',
)

AROUND_LABEL_S: Final = 2.7
"""Seconds from the end of a label to the start of the next in the same slot."""

ENGINE_CPU_S: Final = 4.0
"""CPU seconds of a daemon worker for a label, where they have not been measured."""

JOB_S: Final = 10.0
"""Seconds that a job of ``anial-worker`` takes apart from its steps."""

DISK_KIB: Final = 110.0
"""Disk space of a label in KiB, with its share of everything else; docs/topics/graph-size.md measures it."""

WORKER_MIB: Final = 500.0
"""Memory in MiB of a daemon worker, or of a job of ``anial-worker`` without its Jacobians."""

# Mean length of a trajectory that disagreement stops, as a fraction of t_max: stops are spread over it evenly.
_STOPPED_LENGTH = 0.5
# Fraction of the trajectories that a fixed threshold stops.
_STOPPED = 0.9


@dataclass(frozen=True)
class Speed:
    """What the steps of a campaign take where they run.

    :param label_s: from one label to the next, all slots taken together.
    :param atom_step_s: dynamics, one step of one atom in one of the cycles, which run side by side.
    :param training_step_s: one step of the training.
    :param job_s: start of a job of ``anial-worker``, and everything that AiiDA adds to it.
    :param n_atoms: mean number of atoms of a cell.
    """

    label_s: float
    atom_step_s: float
    training_step_s: float
    job_s: float
    n_atoms: float


def label_interval(program_s: float, *, slots: int, cores: int, engine_s: float) -> float:
    """Return the seconds from one label to the next, which the slots, the cores, or one daemon worker limit.

    :param program_s: seconds of the labeller's program.
    :param slots: calculations alive at once.
    :param cores: programs that run at full speed side by side.
    :param engine_s: CPU seconds of the worker for a label.
    """
    return max((program_s + AROUND_LABEL_S) / slots, (program_s + engine_s) / min(slots, cores), engine_s)


@dataclass(frozen=True)
class IterationForecast:
    """One iteration, or with the index 0 the initial dataset.

    :param index: number of the iteration.
    :param n_labels: new labels.
    :param seconds: by what they are spent on: ``labels``, ``dynamics``, ``training``.
    """

    index: int
    n_labels: int
    seconds: dict[str, float]


@dataclass(frozen=True)
class Forecast:
    """The course of a campaign.

    :param iterations: the initial dataset, and every iteration that the settings allow.
    :param final_s: seconds of the final training.
    """

    iterations: tuple[IterationForecast, ...]
    final_s: float

    @property
    def n_labels(self) -> int:
        """Number of labels at the end."""
        return sum(one.n_labels for one in self.iterations)

    def ends(self) -> Iterator[tuple[int, int, float]]:
        """Yield index, number of labels and seconds from the start at the end of each iteration."""
        n_labels, seconds = 0, 0.0
        for one in self.iterations:
            n_labels += one.n_labels
            seconds += sum(one.seconds.values())
            yield one.index, n_labels, seconds

    @property
    def disk_mib(self) -> float:
        """Disk space at the end in MiB."""
        return self.n_labels * DISK_KIB / 1024

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by what they are spent on."""
        kinds = {kind for one in self.iterations for kind in one.seconds}
        total = {kind: sum(one.seconds.get(kind, 0.0) for one in self.iterations) for kind in sorted(kinds)}
        return {**total, 'training': total.get('training', 0.0) + self.final_s}


def forecast(
    inputs: CampaignInputs, speed: Speed, *, n_labels: int = 0, iterations_done: int | None = None
) -> Forecast:
    """Return the course of a campaign that uses all its iterations.

    :param n_labels: labels that are there already.
    :param iterations_done: iterations that have ended; None: not even the initial dataset is there.
    """
    final = inputs.training.final
    final_s = speed.job_s + final.max_steps * speed.training_step_s if final is not None else 0.0
    return Forecast(tuple(_iterations(inputs, speed, n_labels, iterations_done)), final_s)


def memory_mib(inputs: CampaignInputs, label_memory_mib: float | None) -> float:
    """Return the memory in MiB that a campaign takes at most, with one worker of the daemon.

    :param label_memory_mib: that of one program that labels; None if it is not known.
    """
    training = inputs.training
    stages = [training.initial, training.retrain, *([training.final] if training.final is not None else [])]
    labels = inputs.label.limits.max_concurrent * (label_memory_mib or 0.0)
    # Validation runs beside a retraining.
    retraining = 2 * WORKER_MIB + 1024 * max(stage.memory_gib for stage in stages)
    return WORKER_MIB + max(labels, retraining, inputs.campaign.n_cycles * WORKER_MIB)


def _iterations(
    inputs: CampaignInputs, speed: Speed, n_labels: int, iterations_done: int | None
) -> Iterator[IterationForecast]:
    campaign, training = inputs.campaign, inputs.training
    if iterations_done is None:
        n_labels += campaign.n_initial_cells
        yield IterationForecast(
            0,
            campaign.n_initial_cells,
            {
                'labels': speed.label_s * campaign.n_initial_cells,
                'training': speed.job_s + training.initial.max_steps * speed.training_step_s,
            },
        )
    for index in range((iterations_done or 0) + 1, campaign.max_iterations + 1):
        labelled = _labelled_fraction(inputs)
        n_trajectories = campaign.trajectories(n_labels, {'n_labels': labelled, 'n_trajectories': 1})
        fresh = round(n_trajectories * labelled)
        n_labels += fresh
        yield IterationForecast(
            index,
            fresh,
            {
                'labels': speed.label_s * fresh,
                'dynamics': speed.job_s + _dynamics_s(inputs, speed, index, n_trajectories),
                'training': speed.job_s + training.retrain.max_steps * speed.training_step_s,
            },
        )


def _stopped_fraction(inputs: CampaignInputs) -> float:
    rule = inputs.thresholds
    if inputs.sampling.dynamics.selection != 'active':  # all are labelled, at random times
        return 1.0
    # A calibrated rule stops at the median error of the ensemble, which half of the trajectories exceed.
    return _STOPPED if rule.mode == 'fixed' else rule.target_stopped_fraction


def _labelled_fraction(inputs: CampaignInputs) -> float:
    stopped = _stopped_fraction(inputs)
    return stopped + (1 - stopped) * inputs.campaign.label_completed_fraction


def _dynamics_s(inputs: CampaignInputs, speed: Speed, index: int, n_trajectories: int) -> float:
    """Return the seconds of the dynamics of an iteration."""
    if inputs.sampling.dynamics.selection == 'random':
        return 0.0
    stopped = _stopped_fraction(inputs)
    t_max_fs = inputs.schedules.t_max_ps * 1000 * inputs.campaign.t_max_scale(index - 1)
    mean_steps = t_max_fs * (1 - stopped * (1 - _STOPPED_LENGTH)) / inputs.sampling.dynamics.time_step_fs
    return n_trajectories / inputs.campaign.n_cycles * speed.n_atoms * mean_steps * speed.atom_step_s
