"""Labels an hour, the expected end, and where the time of a campaign went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiida import orm
from aiida.common import timezone

from aiida_anial.active_learning.forecast import forecast
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.active_learning.time_shares import Calculation, TimeShares, time_shares
from aiida_anial.common.errors import SettingsError
from aiida_anial.queries.campaign_speed import campaign_speed
from aiida_anial.queries.campaign_times import calculations_of
from aiida_anial.queries.graph import inputs_of
from aiida_anial.runtime.states import ACTIVE

__all__ = ('campaign_pace',)

_HOUR_S = 3600


def campaign_pace(campaign: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how fast a campaign is.

    :param rows: its iterations, as ``campaign_status`` describes them.
    :return: ``elapsed_s``; ``running``, the calculations that run by what they do; ``labels_per_hour`` of new labels;
        ``expected_end`` as ISO 8601 if all iterations are used, None if it cannot be told; ``time_shares`` by what was
        done, and ``cores_busy``, the fractions of the time with ``two_or_more``, ``one`` and ``none``.
    """
    calculations = calculations_of(campaign)
    begin, end = campaign.ctime.timestamp(), _end(campaign, calculations)
    shares = time_shares(calculations, begin, end) if end > begin else TimeShares({}, 0.0, 0.0, 0.0)
    elapsed = max(end - begin, 0.0)
    n_labels = sum(row['n_labels'] for row in rows)
    expected = None if campaign.is_terminated else _expected_end(campaign, calculations, rows)
    return {
        'elapsed_s': elapsed,
        'labels_per_hour': n_labels / elapsed * _HOUR_S if elapsed else None,
        'expected_end': expected.isoformat(timespec='seconds') if expected is not None else None,
        'running': dict(Counter(one.kind for one in calculations if not one.is_over).most_common()),
        'time_shares': shares.by_kind,
        'cores_busy': {'two_or_more': shares.two_or_more, 'one': shares.one, 'none': shares.none},
    }


def _end(campaign: Any, calculations: Sequence[Calculation]) -> float:
    """Return when the campaign ended, or the present, in seconds."""
    if not campaign.is_terminated:
        return float(timezone.now().timestamp())
    return max((one.ended for one in calculations), default=campaign.ctime.timestamp())


def _expected_end(
    campaign: Any, calculations: Sequence[Calculation], rows: Sequence[Mapping[str, Any]]
) -> datetime | None:
    """Return when a campaign ends that uses all its iterations; None if it has done too little to tell."""
    settings = inputs_of([campaign], 'settings').get((campaign.pk, 'settings'))
    speed = campaign_speed(campaign, calculations)
    if settings is None or speed is None:
        return None
    try:
        inputs = CampaignInputs.parse(settings.get_dict())
    except SettingsError:
        return None
    done = [row for row in rows if row['process_state'] not in ACTIVE]
    current = next((row for row in rows if row['process_state'] in ACTIVE), None)
    begin = orm.load_node(current['pk']).ctime if current is not None else timezone.now()
    course = forecast(
        inputs,
        speed,
        n_labels=sum(row['n_labels'] for row in done),
        iterations_done=max(row['index'] for row in done) if done else None,
    )
    return max(begin + timedelta(seconds=sum(course.seconds.values())), timezone.now())
