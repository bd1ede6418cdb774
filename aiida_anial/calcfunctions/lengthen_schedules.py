"""Longer trajectories as the potential improves."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.settings import CampaignSettings
from aiida_anial.sampling.settings import ScheduleSettings

__all__ = ('lengthen_schedules',)


@calcfunction
def lengthen_schedules(settings: orm.Dict, campaign: orm.Dict, iteration: orm.Int) -> orm.Dict:
    """Return the schedule settings of an iteration, t_max grown linearly with it.

    :param settings: ``ScheduleSettings`` of the first iteration.
    :param campaign: ``CampaignSettings``, for ``t_max_growth``.
    :param iteration: from 1; with ``follow_yield``, those after which t_max has not grown do not count.
    """
    values = ScheduleSettings.parse(settings.get_dict()).to_dict()
    values['t_max_ps'] *= CampaignSettings.parse(campaign.get_dict()).t_max_scale(iteration.value - 1)
    return orm.Dict(values)
