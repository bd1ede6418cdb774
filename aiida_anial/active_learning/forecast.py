"""What a campaign will cost: labels, hours, disk and memory, before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiida_anial.active_learning.settings import CampaignInputs

__all__ = ('Forecast', 'IterationForecast', 'Speed', 'forecast')

# Mean length of a trajectory that disagreement stops, as a fraction of t_max: stops are spread over it evenly.
_STOPPED_LENGTH = 0.5
# Fraction of the trajectories that a fixed threshold stops; a controlled one aims at its target.
_STOPPED = 0.9


@dataclass(frozen=True)
class Speed:
    """What the steps of a campaign take on the machines where they run.

    :param cores: programs that run at full speed side by side.
    :param label_s: the labeller's program, for a cell of the mean cost.
    :param around_label_s: from the end of a label to the start of the next in the same slot, and everything else that
        AiiDA adds to a label.
    :param engine_cpu_s: CPU time of the daemon for a label.
    :param atom_steps_per_s: dynamics of one job, in atoms times steps.
    :param training_step_s: one step of the training.
    :param job_s: start of a job of ``anial-worker``, and everything that AiiDA adds to it.
    :param n_atoms: mean number of atoms of a cell.
    """

    cores: int
    label_s: float
    around_label_s: float
    engine_cpu_s: float
    atom_steps_per_s: float
    training_step_s: float
    job_s: float
    n_atoms: float


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

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by what they are spent on."""
        kinds = {kind for one in self.iterations for kind in one.seconds}
        total = {kind: sum(one.seconds.get(kind, 0.0) for one in self.iterations) for kind in sorted(kinds)}
        return {**total, 'training': total.get('training', 0.0) + self.final_s}


def forecast(inputs: CampaignInputs, speed: Speed, *, n_labels: int = 0, iterations_done: int | None = None) -> Forecast:
    """Return the course of a campaign that uses all its iterations.

    :param n_labels: labels that are there already.
    :param iterations_done: iterations that have ended; None: not even the initial dataset is there.
    """
    final = inputs.training.final
    final_s = speed.job_s + final.max_steps * speed.training_step_s if final is not None else 0.0
    return Forecast(tuple(_iterations(inputs, speed, n_labels, iterations_done)), final_s)


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
                'labels': _label_s(inputs, speed) * campaign.n_initial_cells,
                'training': speed.job_s + training.initial.max_steps * speed.training_step_s,
            },
        )
    for index in range((iterations_done or 0) + 1, campaign.max_iterations + 1):
        n_trajectories = campaign.trajectories(n_labels)
        fresh = round(n_trajectories * _labelled_fraction(inputs))
        n_labels += fresh
        yield IterationForecast(
            index,
            fresh,
            {
                'labels': _label_s(inputs, speed) * fresh,
                'dynamics': speed.job_s + _dynamics_s(inputs, speed, index, n_trajectories),
                'training': speed.job_s + training.retrain.max_steps * speed.training_step_s,
            },
        )


def _label_s(inputs: CampaignInputs, speed: Speed) -> float:
    """Return the seconds from one label to the next, which slots or cores limit."""
    slots = inputs.label.limits.max_concurrent
    in_slots = (speed.label_s + speed.around_label_s) / slots
    on_cores = (speed.label_s + speed.engine_cpu_s) / min(slots, speed.cores)
    return max(in_slots, on_cores)


def _stopped_fraction(inputs: CampaignInputs) -> float:
    rule = inputs.thresholds
    return rule.target_stopped_fraction if rule.mode == 'controlled' else _STOPPED


def _labelled_fraction(inputs: CampaignInputs) -> float:
    stopped = _stopped_fraction(inputs)
    return stopped + (1 - stopped) * inputs.campaign.label_completed_fraction


def _dynamics_s(inputs: CampaignInputs, speed: Speed, index: int, n_trajectories: int) -> float:
    """Return the seconds of the dynamics of an iteration, whose cycles run side by side."""
    stopped, growth = _stopped_fraction(inputs), inputs.campaign.t_max_growth
    t_max_fs = inputs.schedules.t_max_ps * 1000 * (1 + growth * (index - 1))
    mean_steps = t_max_fs * (1 - stopped * (1 - _STOPPED_LENGTH)) / inputs.sampling.dynamics.time_step_fs
    side_by_side = min(inputs.campaign.n_cycles, speed.cores)
    return n_trajectories * speed.n_atoms * mean_steps / speed.atom_steps_per_s / side_by_side
