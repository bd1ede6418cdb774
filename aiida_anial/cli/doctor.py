"""``aiida-anial doctor``."""

from __future__ import annotations

import sys

import click

from aiida_anial.cli.root import profile_option

__all__ = ('command',)

_MARKS = {
    True: (click.style('ok      ', fg='green'), ''),
    False: (click.style('missing ', fg='red'), 'fix'),
    None: (click.style('unknown ', fg='yellow'), 'check'),
}


@click.command('doctor')
@profile_option()
def command() -> None:
    """Check everything that a campaign needs, and say how to fix what is missing."""
    from aiida_anial.cli.checks import checks

    healthy = True
    for check in checks():
        healthy = healthy and check.passed is not False
        mark, word = _MARKS[check.passed]
        click.echo(f'{mark} {check.name}: {check.finding}')
        if word:
            click.echo(f'         {word}: {check.remedy}')
    sys.exit(0 if healthy else 1)
