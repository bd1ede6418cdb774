"""The options that describe a new campaign, for every command that takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.completion import complete_codes, complete_ensembles, complete_protocols
from aiida_anial.protocols.protocol import default_protocol, protocols

__all__ = ('campaign_options',)

_FILE: Any = click.Path(exists=True, dir_okay=False, path_type=Path)

_OPTIONS = (
    click.argument('overrides', required=False, type=_FILE),
    click.option(
        '--protocol',
        show_default=default_protocol(),
        help=f'One of {", ".join(protocols())}.',
        shell_complete=complete_protocols,
    ),
    click.option('--seed', type=int, help='Seed of all random draws; overrides the key `seed`.'),
    click.option(
        '--pw-code',
        show_default='pw@localhost',
        help='Code of pw.x: pk, UUID or LABEL@COMPUTER.',
        shell_complete=complete_codes,
    ),
    click.option(
        '--worker-code',
        show_default='anial-worker@localhost',
        help='Code of anial-worker.',
        shell_complete=complete_codes,
    ),
    click.option(
        '--pseudo-family', help='An installed aiida-pseudo family; overrides the key `label.qe.pseudo_family`.'
    ),
    click.option('--potential', type=_FILE, help='EAM file, for the labeller eam.'),
    click.option(
        '--teacher',
        help='Pk or UUID of an ensemble, for the labeller ensemble.',
        shell_complete=complete_ensembles,
    ),
    click.option(
        '--benchmark',
        type=click.Choice(['none', 'quick', 'full']),
        help='Properties to compute for the ensemble of every iteration; overrides the key `benchmark.properties`.',
    ),
)


def campaign_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
