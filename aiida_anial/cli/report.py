"""``aiida-anial report``."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.parameters import examples, json_option, print_json
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.progress import working

__all__ = ('command',)


@click.command('report', epilog=examples('report 31', 'report 31 aluminium.html'))
@click.argument('campaign', shell_complete=complete_campaigns)
@click.argument('out', metavar='[OUT.html]', required=False, type=click.Path(path_type=Path))
@json_option
@profile_option()
def command(campaign: str, out: Path | None, *, as_json: bool) -> None:
    """Write CAMPAIGN (pk, UUID or label) as one HTML page, at any moment of the campaign.

    The page has the course of the campaign, errors, labels, trajectories, properties and structures, each with its
    provenance. It opens from disk and needs no network. An earlier page of a campaign is replaced. By default it is
    campaign-PK.html.
    """
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.report.page.write import write_page

    node = load_campaign(campaign, 'CAMPAIGN')
    path = out or Path(f'campaign-{node.pk}.html')
    with working(f'collecting campaign {node.pk}'):
        size = write_page(node, path)
    if as_json:
        print_json({'path': str(path), 'campaign': node.pk, 'size': size})
        return
    click.echo(f'{path}: campaign {node.pk}, {size / 1e6:.1f} MB; open it in a browser')
