"""``aiida-anial submit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.cli.campaign_options import campaign_options
from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import examples, json_option, print_json, refuse_together
from aiida_anial.cli.profile import in_profile, profile_option
from aiida_anial.common.errors import AnialError

if TYPE_CHECKING:
    from aiida_anial.continuation.plan import Continuation
    from aiida_anial.protocols.reader import CampaignNodes

    Planned = tuple[CampaignInputs, CampaignNodes | None, Continuation | None]

__all__ = ('command',)


@click.command(
    'submit',
    epilog=examples(
        'submit mine.yaml --protocol laptop --label first',
        'submit --protocol laptop --seed 7 --dry-run',
        'submit --continue-from 31',
    ),
)
@campaign_options
@click.option(
    '--continue-from',
    'continued',
    metavar='PK',
    multiple=True,
    help='Continue a campaign that has ended; further ones contribute their labels. Repeatable.',
    shell_complete=complete_campaigns,
)
@click.option(
    '--dataset', 'datasets', metavar='PK', multiple=True, help='Train on this dataset too, from the start; repeatable.'
)
@click.option('--mix-theory', is_flag=True, help='Accept labels of different levels of theory.')
@click.option('--label', default='', help='Label of the campaign.')
@click.option(
    '--dry-run',
    is_flag=True,
    help='Print the resolved inputs as YAML, and check them and the codes, without submitting.',
)
@click.option('--pk-only', is_flag=True, help='Print only the pk of the campaign.')
@json_option
@profile_option()
def command(**options: Any) -> None:
    """Start a campaign from a protocol and a YAML file of OVERRIDES.

    With --continue-from it continues another campaign, at whatever point that one ended, and with its settings unless
    a protocol is given; OVERRIDES change these settings. Finished calculations are reused.

    Watch it with `aiida-anial watch PK`, `aiida-anial status PK` and `verdi process report PK`.
    """
    refuse_together(options, 'dry_run', 'pk_only', 'as_json')
    if options['mix_theory'] and not (options['continued'] or options['datasets']):
        raise AnialError('--mix-theory: there is nothing to mix without --continue-from or --dataset.')
    from aiida_anial.cli.advice import say_advice

    inputs, nodes, past = _plan(options) if options['continued'] or options['datasets'] else _fresh(options)
    say_advice(inputs, options)
    if options['dry_run']:
        with paged():
            _print(inputs, past)
        _check(inputs, nodes, options)
        return
    node = _submit(inputs, nodes, past, options)
    if options['as_json']:
        print_json({'pk': node.pk, 'uuid': node.uuid})
    elif options['pk_only']:
        click.echo(node.pk)
    else:
        click.echo(in_profile(f'Submitted campaign {node.pk}; follow it with `aiida-anial watch {node.pk}`'))


def _fresh(options: dict[str, Any]) -> Planned:
    """Return the inputs of a new campaign, and its nodes unless this is a dry run, which prints the inputs first."""
    from aiida_anial.cli.resolve import resolve_inputs, resolve_nodes

    inputs = resolve_inputs(options)
    if options['dry_run']:
        return inputs, None, None
    nodes, inputs = resolve_nodes(options, inputs)
    return inputs, nodes, None


def _plan(options: dict[str, Any]) -> Planned:
    """Return the inputs, nodes and continuation of a campaign that continues others or starts with datasets."""
    from aiida_anial.cli.resolve import dataset, resolve_inputs, resolve_nodes
    from aiida_anial.continuation.checks import check_ended
    from aiida_anial.continuation.plan import inputs_of, nodes_of, plan
    from aiida_anial.queries.campaign_status import load_campaign

    loaded = [load_campaign(identifier, '--continue-from') for identifier in options['continued']]
    campaigns = list({campaign.pk: campaign for campaign in loaded}.values())
    for campaign in campaigns:
        check_ended(campaign)
    old = inputs_of(campaigns[0]) if campaigns else None
    old_nodes = nodes_of(campaigns[0]) if campaigns else None
    inputs = resolve_inputs(options, old)
    nodes, inputs = resolve_nodes(options, inputs, old=old_nodes, old_inputs=old)
    datasets = [dataset(identifier) for identifier in options['datasets']]
    past = plan(campaigns, datasets, inputs=inputs, nodes=nodes, mix_theory=options['mix_theory'])
    return inputs, nodes, past


def _print(inputs: CampaignInputs, past: Continuation | None) -> None:
    """Print the inputs as YAML, after comments on what is reused."""
    import yaml

    for line in past.lines() if past is not None else ():
        click.echo(f'# {line}')
    click.echo(yaml.safe_dump(inputs.to_dict(), sort_keys=False, default_flow_style=None), nl=False)


def _check(inputs: CampaignInputs, nodes: CampaignNodes | None, options: dict[str, Any]) -> None:
    """Check, at the end of a dry run, that the campaign could be submitted.

    :raises AnialError: if a code, its computer or the pseudopotential cannot be used. What may change until then, the
        daemon and the disk, is only said.
    """
    from aiida_anial.cli.preflight import check_codes, check_machine, codes_in
    from aiida_anial.cli.resolve import resolve_nodes

    if nodes is None:
        nodes, _ = resolve_nodes(options, inputs)
    check_codes([nodes.worker_code, *codes_in(nodes.labeller)])
    try:
        check_machine()
    except AnialError as exception:
        click.echo(f'Not yet: {exception}', err=True)


def _submit(inputs: CampaignInputs, nodes: Any, past: Continuation | None, options: dict[str, Any]) -> Any:
    """Submit the work chain and return its node."""
    from aiida_anial.cli.resolve import launched
    from aiida_anial.protocols.builder import campaign_builder

    builder: Any = campaign_builder(inputs, worker_code=nodes.worker_code, **nodes.labeller)
    builder.metadata.label = options['label']
    builder.metadata.description = inputs.description
    if past is not None:
        builder.continued = past.namespace()
    node = launched(builder)
    if past is not None and past.campaigns:
        node.base.extras.set('continues', [campaign.uuid for campaign in past.campaigns])
    return node
