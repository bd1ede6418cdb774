"""Random temperature schedules of one cycle."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.sampling.schedules import draw_schedules as draw
from aiida_anial.sampling.settings import ScheduleSettings

__all__ = ('draw_schedules',)


@calcfunction
def draw_schedules(settings: orm.Dict, seed: orm.Int, number: orm.Int) -> orm.List:
    """Return one temperature schedule a trajectory (Smith et al., II.B.3, Eq. 2).

    :param settings: ``ScheduleSettings``.
    :param number: how many.
    :return: a list of ``Schedule`` dictionaries, temperatures in K and times in ps.
    """
    schedules = draw(ScheduleSettings.parse(settings.get_dict()), seed=seed.value, n=number.value)
    return orm.List([schedule.to_dict() for schedule in schedules])
