"""Start and stop private PostgreSQL and RabbitMQ servers on this machine, for trials and for tests.

`start slurm ssh` starts a Slurm with one node, and an SSH server through which users log in to it, alone or next to the
other two. All data, logs, ports and passwords are in one folder, in files that nobody else can read. Starting a running
service, or stopping one that is not running, is not an error. `services/install.sh` installs the programs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final

import postgresql
import rabbitmq
import slurm
import ssh
from supervision import ServiceError, Site, open_site, running, write_private

ROOT: Final = Path(__file__).resolve().parents[1]
# In the order of starting: RabbitMQ is slower, and PostgreSQL starts in the meantime.
SERVICES: Final[dict[str, ModuleType]] = {'rabbitmq': rabbitmq, 'postgresql': postgresql, 'slurm': slurm, 'ssh': ssh}
# The services that a profile needs; the others are started only by name.
OF_A_PROFILE: Final = ('rabbitmq', 'postgresql')


def say(text: str) -> None:
    """Print one line."""
    print(f'services: {text}')  # noqa: T201 - the output of the script


def start(site: Site, names: list[str]) -> None:
    """Start services, and write the credentials file for a profile."""
    if set(names) & set(OF_A_PROFILE):
        write_private(site.credentials, credentials(site))
    started = [name for name in names if SERVICES[name].start(site)]
    for name in names:
        SERVICES[name].wait_until_ready(site)
        word = 'started' if name in started else 'is running'
        say(f'{name} {word}: {_where(site, name)}')
        if advice := getattr(SERVICES[name], 'advice', None):
            say(advice(site))
    if set(names) & set(OF_A_PROFILE):
        say(f'create a profile with: aiida-anial setup --profile production --credentials {site.credentials}')


def stop(site: Site, names: list[str]) -> None:
    """Stop services."""
    for name in names:
        say(f'{name}: {"stopped" if SERVICES[name].stop(site) else "was not running"}')


def status(site: Site, names: list[str]) -> None:
    """Print which services run."""
    for name in names:
        say(f'{name}: {_where(site, name) if _main_process(site, name) else "not running"}')


def _main_process(site: Site, name: str) -> int | None:
    """Return the id of the process that listens on the port of the service."""
    return running(site, SERVICES[name].PORTS[0])


def _where(site: Site, name: str) -> str:
    return f'127.0.0.1:{site.ports[SERVICES[name].PORTS[0]]}, process {_main_process(site, name)}'


def credentials(site: Site) -> str:
    """Return the content of the file that ``aiida-anial setup --credentials`` takes."""
    return f"""\
postgres:
  host: 127.0.0.1
  port: {site.ports['postgresql']}
  database: anial
  user: anial
  password: "{site.passwords['postgresql']}"
  # The administrator creates the user and the database; the profile does not store this login.
  admin_user: {postgresql.ADMIN}
  admin_password: "{site.passwords['postgresql_admin']}"
rabbitmq:
  host: 127.0.0.1
  port: {site.ports['rabbitmq']}
  user: {rabbitmq.USER}
  password: "{site.passwords['rabbitmq']}"
  control: "{site.folder / rabbitmq.CONTROL}"
"""


def _default(site: Site, command: str) -> list[str]:
    """Return the services that a command without names refers to; `stop` and `status` include all that run."""
    others = [name for name in SERVICES if name not in OF_A_PROFILE]
    return [*OF_A_PROFILE, *(name for name in others if command != 'start' and _main_process(site, name))]


COMMANDS: Final[dict[str, Callable[[Site, list[str]], None]]] = {'start': start, 'stop': stop, 'status': status}


def main() -> int:
    """Run the command while holding a lock on the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=COMMANDS)
    parser.add_argument(
        'names',
        nargs='*',
        metavar='SERVICE',
        help=f'{", ".join(SERVICES)}; default: {" and ".join(OF_A_PROFILE)}, and to stop or show also what else runs',
    )
    parser.add_argument('--folder', type=Path, default=ROOT / '.services', help='default: %(default)s')
    options = parser.parse_args()
    if unknown := set(options.names) - set(SERVICES):
        parser.error(f'{", ".join(sorted(unknown))}: no such service; the services are {", ".join(SERVICES)}')
    try:
        asked = options.names or OF_A_PROFILE
        ports = [port for name in {*asked, *OF_A_PROFILE} for port in SERVICES[name].PORTS]
        with open_site(options.folder, ports) as site:
            COMMANDS[options.command](site, options.names or _default(site, options.command))
    except (ServiceError, OSError) as exception:
        print(f'services: {exception}', file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
