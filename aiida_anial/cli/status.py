"""``aiida-anial status`` and ``aiida-anial watch``: see how far a campaign is, once or until it ends."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from aiida_anial.cli.parameters import WIDE, FiniteRange, examples
from aiida_anial.cli.profile import in_profile, profile_option

__all__ = ('command', 'watch')

# AiiDA prefixes each message with the process and its step in brackets.
_REPORT = re.compile(r'\[(?P<pk>\d+)\|(?P<name>\w+)\|\w+\]: (?P<text>.*)', re.DOTALL)

# Seconds between two lines on how fast the campaign is.
_PACE_INTERVAL_S = 300

# Work chains that report every single job; the work chains above them report the progress.
_QUIET = ('PwBaseWorkChain', 'SampleWorkChain', 'TrainWorkChain')


@click.command('status', epilog=examples('status 31', 'status 31 --json'))
@click.argument('pk')
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON object.')
@click.option('--wide', is_flag=True, help=WIDE)
@profile_option()
def command(pk: str, *, as_json: bool, wide: bool) -> None:
    """Print the campaign PK (or UUID), one row per iteration.

    "fresh" errors are those of the ensemble on new labels before it was retrained on them; "test" errors are those of
    each member on blocks used neither to fit its weights nor to stop its training.
    """
    from aiida_anial.cli.campaign_tables import print_campaign
    from aiida_anial.queries.campaign_status import campaign_status, load_campaign

    status = campaign_status(load_campaign(pk))
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        print_campaign(status, wide=wide)


@click.command('watch', epilog=examples('watch 31'))
@click.argument('pk')
@click.option('--interval', type=FiniteRange(min=0.2), default=1.0, show_default=True, help='Seconds between updates.')
@profile_option()
def watch(pk: str, interval: float) -> None:
    """Print the reports of the campaign PK as they arrive, until it ends, and every five minutes how fast it is.

    The exit status is 0 if the campaign finished with exit status 0. Ctrl-C stops watching, not the campaign.
    """
    from aiida.engine.daemon.client import get_daemon_client

    from aiida_anial.queries.campaign_status import campaign_status, load_campaign
    from aiida_anial.queries.campaign_words import campaign_line, pace_lines

    node = load_campaign(pk)
    if not node.is_terminated and not get_daemon_client().is_daemon_running:
        said = 'The daemon is not running; the campaign waits until you run `verdi daemon start`'
        click.echo(in_profile(said), err=True)
    reports, told = _Reports(node), time.monotonic()
    while True:
        ended = node.is_terminated
        for line in reports.fresh():
            click.echo(line)
        if ended:
            break
        if time.monotonic() - told > _PACE_INTERVAL_S:
            for line in pace_lines(campaign_status(node)['pace']):
                click.echo(line)
            told = time.monotonic()
        time.sleep(interval)
    status = campaign_status(node)
    for line in (*pace_lines(status['pace']), campaign_line(status)):
        click.echo(line)
    sys.exit(0 if node.is_finished_ok else 1)


class _Reports:
    """The reports of a campaign and of the work chains under it."""

    def __init__(self, campaign: Any) -> None:
        self._campaign = campaign
        self._last = 0
        self._belongs = {campaign.pk: True}

    def fresh(self) -> Iterator[str]:
        """Yield the reports since the last call, each on a line with the seconds since the campaign started."""
        from aiida import orm

        # Query the log of all processes: finding the descendants of the campaign each time would cost far more.
        logs = orm.QueryBuilder().append(
            orm.Log, filters={'id': {'>': self._last}}, project=['id', 'time', 'dbnode_id', 'message']
        )
        for identifier, moment, pk, message in sorted(logs.all()):
            self._last = identifier
            found = _REPORT.match(message)
            process, text = (f'{found["name"]}<{found["pk"]}>', found['text']) if found else (f'<{pk}>', message)
            if not process.startswith(_QUIET) and self._is_ours(pk):
                yield f'[{(moment - self._campaign.ctime).total_seconds():4.0f} s] {process} {text}'

    def _is_ours(self, pk: int) -> bool:
        """Return whether the process ``pk`` is the campaign or a descendant of it."""
        from aiida import orm

        if pk not in self._belongs:
            node: Any = orm.load_node(pk)
            caller = node.caller
            self._belongs[pk] = caller is not None and self._is_ours(caller.pk)
        return self._belongs[pk]
