"""``aiida-anial status``."""

from __future__ import annotations

import json

import click

from aiida_anial.cli.root import profile_option

__all__ = ('command',)


@click.command('status')
@click.argument('pk')
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON object.')
@profile_option()
def command(pk: str, as_json: bool) -> None:
    """Print the campaign PK (or UUID), one row per iteration.

    "fresh" errors are those of the ensemble on new labels before it was retrained on them; "test" errors are those of
    each member on blocks used neither to fit its weights nor to stop its training.
    """
    from aiida_anial.cli.tables import print_campaign
    from aiida_anial.queries.campaign_status import campaign_status, load_campaign

    status = campaign_status(load_campaign(pk))
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        print_campaign(status)
