"""Which trajectories of an iteration give a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_anial.active_learning.settings import CampaignSettings

__all__ = ('labelled_trajectories',)


def labelled_trajectories(rows: Sequence[Mapping[str, Any]], campaign: CampaignSettings) -> list[int]:
    """Return the positions in ``rows`` of the trajectories whose candidates are labelled.

    These are all that did not reach t_max, and the fraction ``label_completed_fraction`` of those that did, without
    duplicates.

    :param rows: ``stop_reason``, and ``duplicate_of`` where it is known, of each trajectory of a task, in order.
    """
    chosen, completed = [], 0
    for position, row in enumerate(rows):
        if row.get('duplicate_of') is not None:
            continue
        if row.get('stop_reason') == 'completed':
            completed += 1
            if not campaign.labels_completed(completed):
                continue
        chosen.append(position)
    return chosen
