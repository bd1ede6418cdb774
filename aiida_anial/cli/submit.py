"""``aiida-anial submit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.root import profile_option
from aiida_anial.common.errors import AnialError
from aiida_anial.protocols.protocol import campaign_inputs, default_protocol, protocols, read_overrides
from aiida_anial.protocols.settings import CampaignInputs

__all__ = ('command',)


@click.command('submit')
@click.argument('overrides', required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--protocol', default=default_protocol(), show_default=True, help=f'One of {", ".join(protocols())}.')
@click.option('--seed', type=int, help='Every random draw follows from it; overrides the key `seed`.')
@click.option('--pw-code', default='pw@localhost', show_default=True, help='Code of pw.x: pk, UUID or LABEL@COMPUTER.')
@click.option('--worker-code', default='anial-worker@localhost', show_default=True, help='Code of anial-worker.')
@click.option('--pseudo-family', help='An installed aiida-pseudo family; overrides the key `label.qe.pseudo_family`.')
@click.option(
    '--potential', type=click.Path(exists=True, dir_okay=False, path_type=Path), help='EAM file, for label.engine eam.'
)
@click.option('--teacher', help='Pk or UUID of an ensemble, for label.engine ensemble.')
@click.option('--label', default='', help='Label of the campaign.')
@click.option('--dry-run', is_flag=True, help='Print the resolved inputs as YAML, and stop.')
@click.option('--pk-only', is_flag=True, help='Print the pk of the campaign and nothing else.')
@profile_option()
def command(**options: Any) -> None:
    """Start a campaign from a protocol and a YAML file of OVERRIDES.

    Watch it with `aiida-anial watch PK`, `aiida-anial status PK` and `verdi process report PK`.
    """
    inputs = _inputs(options)
    if options['dry_run']:
        import yaml

        click.echo(yaml.safe_dump(inputs.to_dict(), sort_keys=False, default_flow_style=None), nl=False)
        return
    pk = _submit(inputs, options)
    click.echo(pk if options['pk_only'] else f'Submitted campaign {pk}; follow it with: aiida-anial watch {pk}')


def _inputs(options: dict[str, Any]) -> CampaignInputs:
    """Return the inputs that the command line asks for."""
    overrides = read_overrides(options['overrides']) if options['overrides'] else {}
    if options['seed'] is not None:
        overrides['seed'] = options['seed']
    if options['pseudo_family'] is not None:
        label = overrides.setdefault('label', {})
        qe = label.setdefault('qe', {}) if isinstance(label, dict) else None
        if isinstance(qe, dict):
            qe['pseudo_family'] = options['pseudo_family']
    return campaign_inputs(options['protocol'], overrides)


def _submit(inputs: CampaignInputs, options: dict[str, Any]) -> int:
    """Resolve the nodes, submit the work chain and return its pk."""
    from aiida.engine import submit

    from aiida_anial.cli import nodes
    from aiida_anial.protocols.builder import campaign_builder

    resolved: dict[str, Any] = {'worker_code': nodes.code(options['worker_code'], 'anial.train', '--worker-code')}
    if inputs.label.engine == 'qe':
        resolved['pw_code'] = nodes.code(options['pw_code'], 'quantumespresso.pw', '--pw-code')
        resolved['pseudo'], inputs = nodes.pseudo_and_cutoffs(inputs)
    if inputs.label.engine == 'eam':
        resolved['potential'] = nodes.potential_file(options['potential'])
    if inputs.label.engine == 'ensemble':
        resolved['teacher'] = nodes.ensemble(options['teacher'])
    builder: Any = campaign_builder(inputs, **resolved)
    builder.metadata.label = options['label']
    builder.metadata.description = inputs.description
    try:
        node: Any = submit(builder)
    except ValueError as exception:
        raise AnialError(str(exception)) from exception
    return int(node.pk)
