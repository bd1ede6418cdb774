"""Settings of a campaign: all keys of a protocol, which overrides can change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.common.settings import NonNegative, Positive, Settings
from aiida_anial.potential.settings import AnyPotentialSettings, EngineSettings, ModelSettings
from aiida_anial.sampling.settings import CellSettings, SamplingSettings, ScheduleSettings
from aiida_anial.training.settings import TrainingSettings

__all__ = (
    'BenchmarkStage',
    'CampaignInputs',
    'CampaignSettings',
    'ThresholdRule',
    'TrainingStages',
)

Fraction = Annotated[float, Field(ge=0, le=1)]
# A larger number is a slip.
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class CampaignSettings(Settings):
    """Sizes of a campaign, and when it ends.

    :param n_initial_cells: random cells labelled before the first training (paper: about 400).
    :param max_iterations: largest number of active-learning iterations.
    :param max_iterations_is_failure: whether reaching ``max_iterations`` without convergence gives exit code 600; if
        not, it is the planned end.
    :param n_trajectories: smallest and largest number of trajectories of an iteration, over all its cycles.
    :param trajectories_fraction: trajectories of an iteration as a fraction of the labels so far, within that range.
    :param n_cycles: sample-and-label cycles that run in parallel and join at the retraining (Fig. 1).
    :param label_completed_fraction: fraction of the trajectories that reach t_max whose candidate is labelled, too.
        The paper labels none (0).
    :param t_max_growth: growth of t_max from one iteration to the next, as a fraction of its initial value.
    :param follow_yield: whether ``n_trajectories`` and ``trajectories_fraction`` are numbers of fresh labels to aim at:
        there are as many more trajectories as fewer of them gave a label in the last iteration, at most three times
        as many. And t_max grows only after iterations in which most trajectories reached it.
    """

    n_initial_cells: Count = 400
    max_iterations: Count = 40
    max_iterations_is_failure: bool = True
    n_trajectories: tuple[Count, Count] = (100, 400)
    trajectories_fraction: NonNegative = 0.25
    n_cycles: Count = 1
    label_completed_fraction: Fraction = 0.0
    t_max_growth: NonNegative = 0.0
    follow_yield: bool = False

    @model_validator(mode='after')
    def _check(self) -> Self:
        if self.n_trajectories[0] > self.n_trajectories[1]:
            raise ValueError(
                f'n_trajectories: the range is reversed, {self.n_trajectories[0]} > {self.n_trajectories[1]}'
            )
        if self.n_cycles > self.n_trajectories[0]:
            raise ValueError(
                f'n_cycles: {self.n_cycles} cycles need as many trajectories, but n_trajectories has fewer'
            )
        return self

    def trajectories(self, n_labels: int, before: Mapping[str, Any] | None = None) -> int:
        """Return the number of trajectories of an iteration when there are ``n_labels`` labels.

        :param before: summary of the iteration before, None for the first.
        """
        low, high = self.n_trajectories
        wanted = min(max(round(self.trajectories_fraction * n_labels), low), high)
        if not self.follow_yield or before is None:
            return wanted
        labelled: float = before['n_labels'] / before['n_trajectories']
        return math.ceil(wanted / max(labelled, 1 / 3))

    def growths(self, iteration: int, summaries: Sequence[Mapping[str, Any]]) -> int:
        """Return how many times t_max has grown before an iteration, from 1.

        :param summaries: of the iterations before.
        """
        if not self.follow_yield:
            return iteration - 1
        return sum(2 * one['stop_reasons'].get('completed', 0) > one['n_trajectories'] for one in summaries)

    def t_max_scale(self, growths: int) -> float:
        """Return t_max after so many growths, in units of that of the first iteration."""
        return 1 + self.t_max_growth * growths

    def labels_completed(self, number: int) -> bool:
        """Return whether the trajectory that is the ``number``-th to reach t_max, from 1, is labelled.

        The fraction is taken evenly, so that no random draw is needed.
        """
        fraction = self.label_completed_fraction
        return int(number * fraction) > int((number - 1) * fraction)


class ThresholdRule(Settings):
    """The disagreement above which a trajectory stops.

    ``fixed`` keeps ``energy_ev_per_sqrt_atom``. ``controlled`` starts at ``initial_factor`` times the median held-out
    error of the first ensemble, |E^ - E| / sqrt(N), and multiplies the threshold by exp(gain (f - target)) after each
    iteration, where f is the fraction of trajectories stopped by disagreement; it never goes below ``floor``.
    ``calibrated`` stops where the disagreement stands for an error of the energy or of the forces above
    ``error_factor`` times that of the newest ensemble on its validation blocks, until these come down to
    ``energy_error_mev_per_atom`` and ``force_error_ev_per_angstrom``. Each iteration compares the disagreement with
    the true errors on its fresh labels.

    :param energy_error_mev_per_atom: with ``calibrated``, the error of the energy in a cell of mean size.
    :param force_error_ev_per_angstrom: with ``calibrated``, the error of a force component, root mean square over the
        cell.
    :param error_factor: with ``calibrated``, the error at which trajectories stop while the ensemble is worse than
        that, relative to its error on validation blocks.
    :param force_mean_ev_per_angstrom: also stop when the mean force disagreement over atoms exceeds this;
        ``calibrated`` sets it instead.
    :param force_max_ev_per_angstrom: also stop when the largest force disagreement of an atom exceeds this.
    :param novelty: also stop where an environment is farther from all labelled ones than is usual, by this factor,
        whether the members disagree or not.
    """

    mode: Literal['fixed', 'controlled', 'calibrated'] = 'fixed'
    energy_ev_per_sqrt_atom: Positive = 0.01
    initial_factor: Positive = 0.8
    gain: NonNegative = 0.8
    target_stopped_fraction: Fraction = 0.5
    floor_ev_per_sqrt_atom: Positive = 0.01
    energy_error_mev_per_atom: Positive = 2.0
    force_error_ev_per_angstrom: Positive = 0.06
    error_factor: Positive = 1.0
    force_mean_ev_per_angstrom: Positive | None = None
    force_max_ev_per_angstrom: Positive | None = None
    novelty: Positive | None = None


class TrainingStages(Settings):
    """Settings of the first training, of the retraining after each iteration, and of a last one.

    :param final: ``null`` keeps the ensemble of the last iteration.
    :param warm_start: whether a retraining starts from the weights of the ensemble before it.
    :param threads: CPU threads of a training, beside which a campaign has little else to do; ``null`` takes
        ``engine.threads``.
    """

    initial: TrainingSettings = TrainingSettings()
    retrain: TrainingSettings = TrainingSettings()
    final: TrainingSettings | None = None
    warm_start: bool = True
    threads: Count | None = None
    job: JobSettings = JobSettings()


class SamplingStage(Settings):
    """Settings of the dynamics and of its jobs."""

    dynamics: SamplingSettings = SamplingSettings()
    job: JobSettings = JobSettings()


class BenchmarkStage(Settings):
    """The benchmark of the ensemble of every iteration, which runs in parallel with the next iteration.

    :param properties: ``none``; ``quick``, which is cold curves, elastic constants and the vacancy and takes a minute;
        or ``full``.
    """

    properties: Literal['none', 'quick', 'full'] = 'none'
    job: JobSettings = JobSettings()


class CampaignInputs(Settings):
    """All settings of a campaign: the keys of a protocol, which overrides can change.

    :param seed: determines all random numbers of the campaign.
    """

    description: str = ''
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    campaign: CampaignSettings = CampaignSettings()
    model: AnyPotentialSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    cells: CellSettings = CellSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    sampling: SamplingStage = SamplingStage()
    thresholds: ThresholdRule = ThresholdRule()
    training: TrainingStages = TrainingStages()
    label: LabellerSettings = LabellerSettings()
    benchmark: BenchmarkStage = BenchmarkStage()

    @model_validator(mode='after')
    def _check(self) -> Self:
        dynamics, schedules = self.sampling.dynamics, self.schedules
        if self.model.element != 'Al':
            raise ValueError(f'model.element: only Al is supported, not {self.model.element}')
        if self.cells.element != self.model.element:
            raise ValueError(f'cells.element: {self.cells.element} is not model.element ({self.model.element})')
        if self.model.n_members == 1 and dynamics.selection == 'active':
            raise ValueError('model.n_members: one member disagrees with nobody, so no trajectory would stop')
        if dynamics.min_time_ps >= schedules.t_max_ps:
            raise ValueError(
                f'sampling.dynamics.min_time_ps: disagreement would never count, for schedules.t_max_ps is '
                f'{schedules.t_max_ps:g}'
            )
        if self.cells.min_distance_angstrom < dynamics.min_contact_angstrom:
            raise ValueError(
                f'cells.min_distance_angstrom: {self.cells.min_distance_angstrom:g} is below '
                f'sampling.dynamics.min_contact_angstrom ({dynamics.min_contact_angstrom:g}), no cell could start'
            )
        hottest = max(schedules.t_start_k[1], schedules.t_end_k[1]) + schedules.t_mod_k[1]
        if hottest >= dynamics.max_temperature_k:
            raise ValueError(
                f'schedules: they reach {hottest:g} K, not below sampling.dynamics.max_temperature_k '
                f'({dynamics.max_temperature_k:g})'
            )
        return self
