"""A batch of trajectories to run."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds

__all__ = ('SamplingTask',)


@dataclass(frozen=True, eq=False)
class SamplingTask:
    """A batch of trajectories to run.

    :param cells: where they start.
    :param schedules: target temperatures, one for each cell.
    :param settings: dynamics and checks.
    :param thresholds: disagreement at which they stop.
    :param seed: of velocities and noise; trajectory ``i`` draws its random numbers from ``(seed, i)`` alone.
    :raises SettingsError: if the settings contradict each other.
    """

    cells: Cells
    schedules: tuple[Schedule, ...]
    settings: SamplingSettings
    thresholds: Thresholds
    seed: int

    def __post_init__(self) -> None:
        if len(self.schedules) != len(self.cells) or not self.schedules:
            raise SettingsError(f'schedules: there are {len(self.schedules)} for {len(self.cells)} cells.')
        for number, schedule in enumerate(self.schedules):
            if self.settings.min_time_ps >= schedule.t_max_ps:
                raise SettingsError(
                    f'settings.min_time_ps: {self.settings.min_time_ps:g} ps are not before the end of schedule '
                    f'{number} ({schedule.t_max_ps:g} ps), so no disagreement could ever stop it.'
                )
            peak = max(schedule.t_start_k, schedule.t_end_k) + schedule.t_mod_k
            if peak > self.settings.max_temperature_k:
                raise SettingsError(
                    f'settings.max_temperature_k: schedule {number} may reach {peak:g} K, above the '
                    f'{self.settings.max_temperature_k:g} K taken for unphysical.'
                )
