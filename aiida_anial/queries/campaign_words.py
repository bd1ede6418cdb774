"""The status of a campaign in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ('campaign_line', 'duration', 'pace_lines')


def pace_lines(pace: Mapping[str, Any]) -> list[str]:
    """Return in words how fast a campaign is, and where its time went."""
    if pace['labels_per_hour'] is None:
        return []
    first = f'{duration(pace["elapsed_s"])}, {pace["labels_per_hour"]:.0f} labels an hour'
    if pace['expected_end'] is not None:
        end = datetime.fromisoformat(pace['expected_end']).astimezone()
        first += f'; all iterations are done by about {end:%Y-%m-%d %H:%M}'
    if pace['running']:
        first += f'. Running: {", ".join(f"{number} {kind}" for kind, number in pace["running"].items())}'
    shares = sorted(pace['time_shares'].items(), key=lambda item: -item[1])
    cores = pace['cores_busy']
    return [
        f'{first}.',
        f'Time: {", ".join(f"{kind} {share:.0%}" for kind, share in shares)}; two cores or more were busy '
        f'{cores["two_or_more"]:.0%} of it, one {cores["one"]:.0%}.',
    ]


def duration(seconds: float) -> str:
    """Return a duration as hours and minutes."""
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min' if minutes >= 60 else f'{minutes} min'


def campaign_line(status: dict[str, Any]) -> str:
    """Return a summary of the campaign in one line."""
    line = f'Campaign {status["pk"]}: {status["process_state"]}'
    if status['exit_status'] is not None:
        line += f' [{status["exit_status"]}]'
    if status['verdict']:
        line += f', {status["verdict"]}'
    before = f' ({status["n_labels_taken_over"]} reused)' if status['n_labels_taken_over'] else ''
    line += f', {status["n_labels"]} labels{before}, {status["n_rejected"]} rejected'
    line += f', {status["n_killed"]} killed' if status['n_killed'] else ''
    return f'{line}. {status["exit_message"]}' if status['exit_message'] else line
