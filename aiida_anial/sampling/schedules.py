"""Temperature schedules, and sampling tasks: cells, schedules, settings and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import NonNegative, Positive, Settings
from aiida_anial.sampling.settings import SamplingSettings, ScheduleSettings, Thresholds
from aiida_anial.sampling.streams import Purpose, stream, uniform

__all__ = ('SamplingTask', 'Schedule', 'draw_schedule', 'draw_schedules')

Strain = tuple[float, float, float, float, float, float]
_UNSTRAINED: Final[Strain] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Schedule(Settings):
    """The target temperature of a trajectory, and the strain of its cell.

    Eq. 2 of Smith et al., Nat. Commun. 12, 1257 (2021):
    T(t) = T_start + (t / t_max) (T_end - T_start) + T_mod sin^2(pi t / t_0).
    The strain, which the paper only suggests (section V), is eps(t) = (t / t_max) eps_end + eps_mod sin^2(pi t / t_0).

    :param t_start_k: T_start, in K.
    :param t_end_k: T_end, in K.
    :param t_mod_k: T_mod, in K.
    :param t_0_ps: t_0, period of the modulation, in ps.
    :param t_max_ps: t_max, length of the trajectory, in ps.
    :param strain_end: eps_end, its components xx, yy, zz, yz, xz, xy.
    :param strain_mod: eps_mod, its components.
    :param pressure_gpa: pressure to which the cell relaxes beside that strain, in GPa; None if it does not.
    """

    t_start_k: NonNegative
    t_end_k: NonNegative
    t_mod_k: NonNegative
    t_0_ps: Positive
    t_max_ps: Positive
    strain_end: Strain = _UNSTRAINED
    strain_mod: Strain = _UNSTRAINED
    pressure_gpa: float | None = None

    @property
    def changes_cell(self) -> bool:
        """Whether the cell changes."""
        return any(self.strain_end) or any(self.strain_mod) or self.pressure_gpa is not None

    def temperature(self, time_ps: float) -> float:
        """Return the target temperature in K at ``time_ps``."""
        ramp = self.t_start_k + time_ps / self.t_max_ps * (self.t_end_k - self.t_start_k)
        return ramp + self.t_mod_k * self._wave(time_ps)

    def deformation(self, time_ps: float) -> NDArray[np.float64]:
        """Return 1 + eps ``[3, 3]`` at ``time_ps``, by which the rows of the initial lattice are multiplied."""
        end, mod = np.array(self.strain_end), np.array(self.strain_mod)
        xx, yy, zz, yz, xz, xy = time_ps / self.t_max_ps * end + self._wave(time_ps) * mod
        return np.array([[1 + xx, xy, xz], [xy, 1 + yy, yz], [xz, yz, 1 + zz]])

    def _wave(self, time_ps: float) -> float:
        return math.sin(math.pi * time_ps / self.t_0_ps) ** 2

    def n_steps(self, time_step_fs: float) -> int:
        """Return the number of time steps until t_max, at least one."""
        return max(1, round(self.t_max_ps * 1000.0 / time_step_fs))


def draw_schedule(settings: ScheduleSettings, *, seed: int, index: int) -> Schedule:
    """Return schedule ``index`` of ``seed``; each parameter is uniform in its range.

    What the paper does not have is drawn after the rest, and always: other values do not depend on it.
    """
    source = stream(Purpose.SCHEDULE, seed=seed, index=index)

    def draw(bounds: tuple[float, float]) -> float:
        return uniform(source, low=bounds[0], high=bounds[1])

    schedule = Schedule(
        t_start_k=draw(settings.t_start_k),
        t_end_k=draw(settings.t_end_k),
        t_mod_k=draw(settings.t_mod_k),
        t_0_ps=draw(settings.t_0_ps),
        t_max_ps=settings.t_max_ps,
    )
    changes: dict[str, Any] = {}
    is_quench, t_quench_k = draw((0.0, 1.0)) < settings.quench_fraction, draw(settings.t_quench_k)
    if is_quench:
        changes |= {'t_end_k': t_quench_k, 't_mod_k': 0.0}
    for name in ('strain_end', 'strain_mod'):
        dilation = draw((-settings.dilation, settings.dilation))
        strain = [draw((-settings.strain, settings.strain)) for _ in _UNSTRAINED]
        changes[name] = tuple(value + dilation * (index < 3) for index, value in enumerate(strain))
    if draw((0.0, 1.0)) < settings.relaxed_fraction:
        changes['pressure_gpa'] = draw(settings.pressure_gpa)
    return schedule.model_copy(update=changes)


def draw_schedules(settings: ScheduleSettings, *, seed: int, n: int) -> tuple[Schedule, ...]:
    """Return the schedules 0 to ``n - 1`` of ``seed``."""
    return tuple(draw_schedule(settings, seed=seed, index=index) for index in range(n))


@dataclass(frozen=True, eq=False)
class SamplingTask:
    """A batch of trajectories to run.

    :param cells: initial cells.
    :param schedules: target temperatures, one schedule for each cell.
    :param settings: dynamics and checks.
    :param thresholds: disagreement above which trajectories stop.
    :param seed: seed of velocities and noise; the random numbers of trajectory ``i`` depend only on ``(seed, i)``.
    :raises SettingsError: if the settings contradict each other.
    """

    cells: Cells
    schedules: tuple[Schedule, ...]
    settings: SamplingSettings
    thresholds: Thresholds
    seed: int

    def n_steps(self, index: int) -> int:
        """Return the number of time steps after which a trajectory ends at the latest."""
        n_steps = self.schedules[index].n_steps(self.settings.time_step_fs)
        if self.settings.selection == 'active':
            return n_steps
        if self.settings.selection == 'random':
            return 0
        source = stream(Purpose.SELECTION, seed=self.seed, index=index)
        low = self.settings.min_time_ps * 1000 / self.settings.time_step_fs
        return math.ceil(uniform(source, low=low, high=n_steps))

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
