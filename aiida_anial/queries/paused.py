"""Processes of a campaign that wait for somebody."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.common.text import one_line
from aiida_anial.data.states import ACTIVE
from aiida_anial.workchains.pausing import last_words

__all__ = ('paused_processes',)


def paused_processes(campaign: Any) -> list[dict[str, Any]]:
    """Return the paused processes of a campaign, itself included: pk, name, reason, and the command that resumes.

    AiiDA pauses a job when it could not, in several attempts, bring its files to the computer or back.
    """
    if campaign.is_terminated:
        return []
    # Of all campaigns, for there are never many; the descendants of one may be thousands.
    query = orm.QueryBuilder().append(
        orm.ProcessNode,
        filters={
            'attributes.paused': True,
            'attributes.process_state': {'in': ACTIVE},
            'id': {'>=': campaign.pk},
        },
        tag='process',
    )
    nodes = [node for node in query.order_by({'process': 'id'}).all(flat=True) if _is_under(node, campaign)]
    return [
        {
            'pk': node.pk,
            'process_label': node.process_label,
            'reason': _reason(node),
            'command': f'verdi process play {node.pk}',
        }
        for node in nodes
    ]


def _is_under(node: Any, campaign: Any) -> bool:
    """Return whether a process is the campaign, or was called by one that is."""
    while node is not None and node.pk != campaign.pk:
        node = node.caller
    return node is not None


def _reason(node: Any) -> str:
    """Return why a process has paused, and what was behind it, as far as AiiDA noted that in its log."""
    reason = one_line(node.process_status or 'somebody paused it').rstrip('.')
    # The message of an exception is its traceback, which ends with what it says.
    traces = [log.message for log in orm.Log.collection.get_logs_for(node) if 'Traceback' in log.message]
    return f'{reason}: {one_line(last_words(traces[-1]))}' if traces else reason
