"""``aiida-anial setup`` and ``aiida-anial doctor``: set up this machine, and check it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.credentials import PROTOCOLS, read_servers, settings
from aiida_anial.cli.parameters import examples, json_option, print_json
from aiida_anial.cli.profile import in_profile, profile_option
from aiida_anial.common.errors import AnialError

__all__ = ('command', 'doctor')

_PRODUCTION = 'production'
_TYPES: dict[str, Any] = {'port': click.IntRange(1, 65535), 'protocol': click.Choice(PROTOCOLS)}


def _server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option to a command for every setting of the servers except passwords."""
    for section, key, setting, default in reversed(list(settings())):
        if setting.kind != 'password':
            name = f'--{section}-{key}'.replace('_', '-')
            text = f'{setting.help}  [default: {default}]' if default else setting.help
            function = click.option(name, f'{section}__{key}', type=_TYPES.get(setting.kind), help=text)(function)
    return function


@click.command('setup', epilog=examples('setup', 'setup --profile production --credentials credentials.yaml'))
@click.option('-p', '--profile', 'profile_name', default='anial', show_default=True, help='Profile to create or use.')
@click.option('--pw', type=click.Path(path_type=Path), help='Executable of pw.x.  [default: the one on the PATH]')
@click.option(
    '--worker', type=click.Path(path_type=Path), help='Executable of anial-worker.  [default: the one of this package]'
)
@click.option('--lmp', type=click.Path(path_type=Path), help='Executable of LAMMPS, for dynamics in it.')
@click.option(
    '--production/--embedded',
    default=None,
    help='A profile on PostgreSQL and RabbitMQ, or the embedded one.  [default: --production if the profile is '
    'called production or an option below is given]',
)
@click.option(
    '--credentials',
    type=click.Path(path_type=Path),
    help='YAML file with the sections postgres and rabbitmq, which contain the settings below and passwords.',
)
@click.option(
    '--repository',
    type=click.Path(path_type=Path),
    help="Folder for the profile's files.  [default: in AiiDA's folder]",
)
@_server_options
def command(
    *,
    profile_name: str,
    pw: Path | None,
    worker: Path | None,
    lmp: Path | None,
    production: bool | None,
    credentials: Path | None,
    repository: Path | None,
    **options: Any,
) -> None:
    """Set up a profile, computer, codes and pseudopotential on this machine.

    The profile is AiiDA's embedded one, with SQLite and the ZeroMQ broker, for which no service has to be installed.
    The command keeps what exists already and can be run again.

    A production profile uses a PostgreSQL and a RabbitMQ server. Passwords are read from the environment
    (ANIAL_POSTGRES_PASSWORD, ANIAL_POSTGRES_ADMIN_PASSWORD, ANIAL_RABBITMQ_PASSWORD) or from the credentials file,
    which nobody else may be able to read. Every other setting has a variable named in the same way; an option takes
    precedence over the environment, and the environment over the file.
    """
    from aiida.manage.configuration import get_config

    from aiida_anial.cli.installation import install

    given: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        if value is not None:
            section, key = name.split('__')
            given.setdefault(section, {})[key] = value
    has_servers = credentials is not None or bool(given)
    if production is False and (has_servers or repository is not None):
        raise AnialError('--embedded: the embedded profile has no servers; leave out the options about them.')
    if production is None:
        production = profile_name == _PRODUCTION or has_servers or repository is not None
    is_new = profile_name not in get_config(create=True).profile_names
    servers = read_servers(credentials, given) if production and (has_servers or is_new) else None
    for line in install(
        profile_name=profile_name,
        pw=pw,
        worker=worker,
        lmp=lmp,
        production=production,
        servers=servers,
        repository=repository,
    ):
        click.echo(line)


_MARKS = {
    True: (click.style('ok      ', fg='green'), ''),
    False: (click.style('missing ', fg='red'), 'fix'),
    None: (click.style('unknown ', fg='yellow'), 'check'),
}
_SLOW = (click.style('slow    ', fg='yellow'), 'faster')


@click.command('doctor', epilog=examples('doctor', 'doctor -p production --json'))
@json_option
@profile_option()
def doctor(*, as_json: bool) -> None:
    """Check everything that a campaign needs, say how to fix what is missing, and what makes it slow.

    The exit status is 1 if anything is missing.
    """
    from aiida_anial.cli.checks import checks

    done = []
    for check in checks():
        done.append(check)
        if as_json:
            continue
        mark, word = _SLOW if check.is_slow else _MARKS[check.passed]
        click.echo(f'{mark} {check.name}: {check.finding}')
        if word:
            click.echo(in_profile(f'         {word}: {check.remedy}'))
    is_fine = all(check.passed is not False for check in done)
    if as_json:
        print_json({'is_fine': is_fine, 'checks': [asdict(check) for check in done]})
    sys.exit(0 if is_fine else 1)
