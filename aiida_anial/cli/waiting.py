"""Wait for a process that a command submitted."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from aiida_anial.cli.parameters import INTERRUPTED
from aiida_anial.cli.profile import in_profile
from aiida_anial.common.errors import AnialError

__all__ = ('wait_for', 'why_incomplete')

_POLL_S = 1.0


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
    known = None
    try:
        while not node.is_terminated:
            if node.process_status != known and node.process_status:
                known = node.process_status
                click.echo(f'  {known}', err=True)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        said = f'Stopped waiting; process {node.pk} goes on. `aiida-anial {command} {node.pk}` prints what there is.'
        click.echo(in_profile(said), err=True)
        sys.exit(INTERRUPTED)


def why_incomplete(node: Any) -> str:
    """Return why a process has not all of its results."""
    return node.exit_message or ('it is still running' if not node.is_terminated else str(node.process_state.value))
