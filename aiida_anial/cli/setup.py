"""``aiida-anial setup``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ('command',)


@click.command('setup')
@click.option('-p', '--profile', 'profile_name', default='anial', show_default=True, help='Profile to make or use.')
@click.option('--pw', type=click.Path(path_type=Path), help='Executable of pw.x.  [default: the one on the PATH]')
@click.option(
    '--worker', type=click.Path(path_type=Path), help='Executable of anial-worker.  [default: the one of this package]'
)
def command(profile_name: str, pw: Path | None, worker: Path | None) -> None:
    """Make a profile, computer, codes and pseudopotential on this machine.

    The profile is AiiDA's embedded one: SQLite and the ZeroMQ broker, no service to install. What is there already is
    kept, so that the command can be run again.
    """
    from aiida_anial.cli.installation import install

    for line in install(profile_name=profile_name, pw=pw, worker=worker):
        click.echo(line)
