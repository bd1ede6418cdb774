"""``aiida-anial doctor``."""

from __future__ import annotations

import sys

import click

from aiida_anial.cli.root import profile_option

__all__ = ('command',)


@click.command('doctor')
@profile_option()
def command() -> None:
    """Check what a campaign needs, and say how to mend what is missing."""
    from aiida_anial.cli.checks import checks

    healthy = True
    for check in checks():
        healthy = healthy and check.passed
        mark = click.style('ok      ', fg='green') if check.passed else click.style('missing ', fg='red')
        click.echo(f'{mark} {check.name}: {check.finding}')
        if not check.passed:
            click.echo(f'         mend: {check.remedy}')
    sys.exit(0 if healthy else 1)
