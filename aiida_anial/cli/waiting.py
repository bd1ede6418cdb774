"""Wait for a process that a command submitted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
from rich.markup import escape

from aiida_anial.cli.parameters import INTERRUPTED
from aiida_anial.cli.profile import in_profile
from aiida_anial.cli.progress import working
from aiida_anial.common.errors import AnialError

__all__ = ('wait_for', 'why_incomplete')

_POLL_S = 1.0
# Seconds between two looks at what runs.
_LOOK_S = 5.0


def wait_for(node: Any, command: str) -> None:
    """Wait until a process has ended, and print its progress.

    :param command: the command of ``aiida-anial`` that submitted it, and that prints its results.
    :raises AnialError: if no daemon runs.
    """
    from aiida.engine.daemon.client import get_daemon_client

    if not get_daemon_client().is_daemon_running:
        raise AnialError(
            f'process {node.pk} is submitted, but the daemon is not running; start it with `verdi daemon start`, '
            f'then print the result with `aiida-anial {command} {node.pk}`.'
        )
    click.echo(f'Submitted process {node.pk}; Ctrl-C stops only the waiting for it', err=True)
    try:
        with working('waiting for the daemon') as say:
            _follow(node, say)
    except KeyboardInterrupt:
        said = f'Stopped waiting; process {node.pk} goes on. `aiida-anial {command} {node.pk}` prints what there is.'
        click.echo(in_profile(said), err=True)
        sys.exit(INTERRUPTED)


def _follow(node: Any, say: Callable[[str], None]) -> None:
    """Print each new status of a process until it has ended, and say in between what runs and how long it may take."""
    known, looked = None, 0.0
    while not node.is_terminated:
        if node.process_status != known and node.process_status:
            known = node.process_status
            click.echo(f'  {known}', err=True)
        if time.monotonic() > looked + _LOOK_S:
            say(_doing(node))
            looked = time.monotonic()
        time.sleep(_POLL_S)


def _doing(node: Any) -> str:
    """Return what runs under a process, and how long it may take."""
    from aiida.common import timezone

    from aiida_anial.queries.campaign_words import duration
    from aiida_anial.queries.expected_time import remaining_s
    from aiida_anial.queries.stages import running_under

    running = running_under(node)
    jobs = dict.fromkeys(one.label or one.name for one in running if one.is_job)
    parts = [', '.join(jobs) or 'waiting', duration((timezone.now() - node.ctime).total_seconds())]
    if (left := remaining_s(node, running)) is not None:
        parts.append(f'about {duration(left)} left')
    return escape('; '.join(parts))


def why_incomplete(node: Any) -> str:
    """Return why a process has not all of its results."""
    return node.exit_message or ('it is still running' if not node.is_terminated else str(node.process_state.value))
