"""``aiida-anial status``: see how far a campaign is."""

from __future__ import annotations

import click

from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import examples, json_option, print_json, wide_option
from aiida_anial.cli.profile import profile_option

__all__ = ('command',)


@click.command('status', epilog=examples('status 31', 'status 31 --json'))
@click.argument('pk', shell_complete=complete_campaigns)
@json_option
@wide_option
@profile_option()
def command(pk: str, *, as_json: bool, wide: bool) -> None:
    """Print the campaign PK (or UUID), one row per iteration.

    "fresh" errors are those of the ensemble on new labels before it was retrained on them; "test" errors are those of
    each member on blocks used neither to fit its weights nor to stop its training.
    """
    from aiida_anial.cli.campaign_tables import print_campaign
    from aiida_anial.queries.campaign_status import campaign_status, load_campaign

    status = campaign_status(load_campaign(pk))
    with paged():
        if as_json:
            print_json(status)
        else:
            print_campaign(status, wide=wide)
