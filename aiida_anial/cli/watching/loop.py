"""Watch a process until it ends, on a live screen or line by line, at little cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live

from aiida_anial.cli.watching.reports import Reports
from aiida_anial.cli.watching.view import View

__all__ = ('watch_lines', 'watch_screen')

# Seconds between two lines on how fast a campaign is.
_PACE_INTERVAL_S: Final = 300.0
# Each kind of look at the database takes at most this part of the time.
_SHARE: Final = 0.005
# Seconds between two looks at what runs, at least.
_LOOK_S: Final = 2.0
_KEPT: Final = 200


def watch_lines(process: Any, interval: float) -> None:
    """Print the reports of a process until it ends, and every five minutes how fast a campaign is."""
    from aiida_anial.queries.campaign_status import campaign_status
    from aiida_anial.queries.campaign_words import pace_lines

    reports, told = Reports(process), time.monotonic()
    while True:
        ended = process.is_terminated
        for line in reports.fresh():
            click.echo(line)
        if ended:
            return
        if _is_campaign(process) and time.monotonic() - told > _PACE_INTERVAL_S:
            for line in pace_lines(campaign_status(process)['pace']):
                click.echo(line)
            told = time.monotonic()
        time.sleep(interval)


def watch_screen(process: Any, interval: float, *, note: str) -> None:
    """Show a process on the whole screen until it ends; afterwards the terminal is as it was.

    :param note: what must be done before it goes on.
    """
    view = View(f'{process.process_label}<{process.pk}>', note=note)
    reports = Reports(process)
    looks = [_Seldom(partial(look, process, view)) for look in (_look, _look_back)]
    # Nothing is drawn that has not changed: terminals may be slow.
    with Live(view, console=Console(), screen=True, auto_refresh=False) as live:
        while not process.is_terminated:
            fresh = list(reports.fresh())
            view.messages = [*view.messages, *fresh][-_KEPT:]
            looked = [look() for look in looks]
            if any(looked) or fresh:
                live.refresh()
            time.sleep(interval)


def _is_campaign(process: Any) -> bool:
    return bool(process.process_label == 'ActiveLearningWorkChain')


class _Seldom:
    """Calls a function, the more seldom, the longer it takes."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._next = 0.0

    def __call__(self) -> bool:
        """Call the function if it is time to, and return whether it was."""
        if time.monotonic() < self._next:
            return False
        begun = time.process_time()
        self._function()
        self._next = time.monotonic() + max(_LOOK_S, (time.process_time() - begun) / _SHARE)
        return True


def _look(process: Any, view: View) -> None:
    """Note what runs."""
    from aiida.common import timezone

    from aiida_anial.queries.expected_time import remaining_s
    from aiida_anial.queries.stages import running_under

    view.elapsed_s = (timezone.now() - process.ctime).total_seconds()
    view.running = running_under(process)
    if not _is_campaign(process):
        view.remaining_s = remaining_s(process, view.running)


def _look_back(process: Any, view: View) -> None:
    """Note what a campaign has done."""
    from aiida_anial.queries.campaign_status import campaign_status

    if _is_campaign(process):
        view.status = campaign_status(process)
