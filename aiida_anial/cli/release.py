"""``aiida-anial release``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.parameters import examples, json_option, print_json
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.progress import working
from aiida_anial.common.errors import AnialError

__all__ = ('command',)

_TITLE = 'Labelled configurations of aluminium and an interatomic potential, by active learning'


@click.command(
    'release', epilog=examples("release 31 aluminium --author 'Curie, Marie' --title 'Aluminium, 250 labels'")
)
@click.argument('campaign', shell_complete=complete_campaigns)
@click.argument('folder', metavar='DIR', type=click.Path(path_type=Path))
@click.option('--author', 'authors', required=True, multiple=True, metavar="'FAMILY, GIVEN'", help='Repeatable.')
@click.option('--title', default=_TITLE, show_default=True, help='Title of the release.')
@click.option('--license', 'license_text', default='CC-BY-4.0', show_default=True, help='SPDX identifier.')
@click.option(
    '--isolated-atom',
    'isolated',
    multiple=True,
    metavar='PROCESS',
    help='Calculation by pw.x (pk or UUID) of one spin-polarised atom in a box, for its energy. Repeatable.',
)
@json_option
@profile_option()
def command(campaign: str, folder: Path, **options: Any) -> None:
    """Write CAMPAIGN (pk, UUID or label) to a folder ready to publish.

    DIR will contain the dataset, the ensemble, tables, plots, the settings, an archive of the whole graph, cards of
    the data and of the potential, a citation file and checksums. It appears only once it is complete.
    """
    from aiida_anial.data.nodes import loaded
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.report.release import write_release
    from aiida_anial.report.texts import Author, spdx_license

    if not options['title'].strip():
        raise AnialError('--title: a release needs a title.')
    people = [Author.parse(text) for text in options['authors']]
    license_id = spdx_license(options['license_text'])
    node = load_campaign(campaign, 'CAMPAIGN')
    atoms = [loaded(identifier, '--isolated-atom') for identifier in options['isolated']]
    with working(f'writing {folder}'):
        facts = write_release(
            node, folder, title=options['title'], authors=people, license_id=license_id, isolated=atoms
        )
    if not facts['campaign']['is_finished']:
        click.echo(f'Campaign {node.pk} has not finished ({facts["campaign"]["state"]}); the card says so.', err=True)
    found = {
        'path': str(folder),
        'n_labels': facts['n_labels'],
        'n_members': facts['ensemble']['n_members'],
        'n_nodes': facts['archive'].n_nodes,
    }
    if options['as_json']:
        print_json(found)
        return
    click.echo(
        f'{folder}: {found["n_labels"]} labels, an ensemble of {found["n_members"]} members, '
        f'an archive of {found["n_nodes"]} nodes; read {folder / "README.md"} before publishing'
    )
