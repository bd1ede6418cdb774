"""Say what is unwise in the settings of a campaign before it is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from aiida_anial.active_learning.advice import advice, beyond_protocol
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.protocols.protocol import campaign_inputs, default_protocol

__all__ = ('say_advice', 'unusual')


def unusual(inputs: CampaignInputs, options: Mapping[str, Any]) -> list[str]:
    """Return what is far from usual, or from the protocol that the options name."""
    found = advice(inputs)
    if options['protocol'] is not None or not options.get('continued'):
        name = default_protocol() if options['protocol'] is None else options['protocol']
        found += beyond_protocol(inputs, campaign_inputs(name), name)
    return found


def say_advice(inputs: CampaignInputs, options: Mapping[str, Any]) -> None:
    """Print what is unusual to the standard error."""
    for line in unusual(inputs, options):
        click.echo(f'Unusual: {line}', err=True)
