"""Longer trajectories as the potential improves."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

__all__ = ('lengthen_schedules',)


@calcfunction
def lengthen_schedules(settings: orm.Dict, campaign: orm.Dict, iteration: orm.Int) -> orm.Dict:
    """Return the schedule settings of an iteration, t_max grown linearly with it.

    :param settings: ``ScheduleSettings`` of the first iteration.
    :param campaign: ``CampaignSettings``, for ``t_max_growth``.
    :param iteration: from 1.
    """
    values = settings.get_dict()
    values['t_max_ps'] *= 1 + campaign['t_max_growth'] * (iteration.value - 1)
    return orm.Dict(values)
