"""``aiida-anial watch``: follow a process until it ends."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console

from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.parameters import INTERRUPTED, FiniteRange, examples
from aiida_anial.cli.profile import in_profile, profile_option
from aiida_anial.common.errors import AnialError

__all__ = ('command',)


@click.command('watch', epilog=examples('watch 31', 'watch 31 --lines'))
@click.argument('pk', shell_complete=complete_campaigns)
@click.option('--interval', type=FiniteRange(min=0.2), default=1.0, show_default=True, help='Seconds between updates.')
@click.option('--lines', is_flag=True, help='Print the reports line by line, as without a terminal.')
@profile_option()
def command(pk: str, interval: float, *, lines: bool) -> None:
    """Follow the campaign, benchmark or other process PK (or UUID) until it ends.

    A terminal shows what is done, what runs, how long it may take, the errors so far and the last reports; what keeps
    the process from going on is said with what to do. Without a terminal, reports are printed as they arrive.

    The exit status is 0 if the process finished with exit status 0. Ctrl-C stops watching, not the process.
    """
    from aiida_anial.cli.watching.loop import watch_lines, watch_screen

    node = _loaded(pk)
    note = _note(node)
    try:
        if lines or not _has_screen():
            if note:
                click.echo(note, err=True)
            watch_lines(node, interval)
        elif not node.is_terminated:
            watch_screen(node, interval, note=note)
    except KeyboardInterrupt:
        click.echo(f'Stopped watching; {node.process_label} {node.pk} goes on.', err=True)
        sys.exit(INTERRUPTED)
    for line in _last_lines(node):
        click.echo(line)
    sys.exit(0 if node.is_finished_ok else 1)


def _loaded(pk: str) -> Any:
    """Return the process with this pk, UUID or label.

    :raises AnialError: if there is no such node, or it is not a process.
    """
    from aiida import orm

    from aiida_anial.data.nodes import loaded

    node: Any = loaded(pk, 'PK')
    if not isinstance(node, orm.ProcessNode):
        raise AnialError(f'PK: node {pk} is a {type(node).__name__}, not a process.')
    return node


def _has_screen() -> bool:
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal


def _note(node: Any) -> str:
    """Return what must be done before a process goes on."""
    from aiida.engine.daemon.client import get_daemon_client

    if node.is_terminated or get_daemon_client().is_daemon_running:
        return ''
    name = 'campaign' if node.process_label == 'ActiveLearningWorkChain' else 'process'
    return in_profile(f'The daemon is not running; the {name} waits until you run `verdi daemon start`')


def _last_lines(node: Any) -> list[str]:
    """Return how a process has ended."""
    from aiida_anial.queries.campaign_status import campaign_status
    from aiida_anial.queries.campaign_words import campaign_line, pace_lines

    if node.process_label == 'ActiveLearningWorkChain':
        status = campaign_status(node)
        return [*pace_lines(status['pace']), campaign_line(status)]
    exit_status = f' [{node.exit_status}]' if node.exit_status is not None else ''
    said = f': {node.exit_message}' if node.exit_message else ''
    return [f'{node.process_label} {node.pk}: {node.process_state.value}{exit_status}{said}']
