"""``aiida-anial watch``."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from aiida_anial.cli.root import profile_option

__all__ = ('command',)

# AiiDA puts the process and its step in brackets before the text.
_REPORT = re.compile(r'\[(?P<pk>\d+)\|(?P<name>\w+)\|\w+\]: (?P<text>.*)', re.DOTALL)

# These report every job; what is above them tells the story.
_QUIET = ('PwBaseWorkChain', 'SampleWorkChain', 'TrainWorkChain')


@click.command('watch')
@click.argument('pk')
@click.option(
    '--interval', type=click.FloatRange(min=0.2), default=1.0, show_default=True, help='Seconds between two looks.'
)
@profile_option()
def command(pk: str, interval: float) -> None:
    """Print what the campaign PK reports, as it happens, until it ends.

    The exit status is 0 if the campaign finished with exit status 0. Ctrl-C ends the watching, not the campaign.
    """
    from aiida.engine.daemon.client import get_daemon_client

    from aiida_anial.cli.tables import campaign_line
    from aiida_anial.queries.campaign_status import campaign_status, load_campaign

    node, seen = load_campaign(pk), 0
    if not node.is_terminated and not get_daemon_client().is_daemon_running:
        click.echo('The daemon is not running, so nothing will happen; start it with: verdi daemon start', err=True)
    while True:
        ended = node.is_terminated
        for identifier, line in _reports(node, after=seen):
            seen = identifier
            click.echo(line)
        if ended:
            break
        time.sleep(interval)
    click.echo(campaign_line(campaign_status(node)))
    sys.exit(0 if node.is_finished_ok else 1)


def _reports(node: Any, *, after: int) -> Iterator[tuple[int, str]]:
    """Return id and text of the reports of a process and all work chains under it, from the log after ``after``."""
    from aiida import orm

    chains = [node.pk, *(child.pk for child in node.called_descendants if isinstance(child, orm.WorkChainNode))]
    logs = orm.QueryBuilder().append(
        orm.Log, filters={'id': {'>': after}, 'dbnode_id': {'in': chains}}, project=['id', 'time', 'message']
    )
    for identifier, moment, message in sorted(logs.all()):
        found = _REPORT.match(message)
        process, text = (f'{found["name"]}<{found["pk"]}>', found['text']) if found else ('', message)
        if not process.startswith(_QUIET):
            yield identifier, f'[{(moment - node.ctime).total_seconds():4.0f} s] {process} {text}'
