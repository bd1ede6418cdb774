"""The RabbitMQ server of the services, with the port mapper that Erlang wants."""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
from pathlib import Path
from typing import Final

from supervision import Account, ServiceError, Site, account, end, running, spawn, wait, write_private

__all__ = ('CONTROL', 'NAME', 'PORTS', 'USER', 'start', 'stop', 'wait_until_ready')

NAME: Final = 'rabbitmq'
PORTS: Final = (NAME, 'distribution', 'epmd')
USER: Final = 'anial'
# The command that asks this server, and no other, what it is set to.
CONTROL: Final = 'rabbitmqctl'

_EPMD: Final = 'epmd'
_DEBIAN: Final = Path('/usr/lib/rabbitmq/bin')
_ON_THIS_MACHINE: Final = '-kernel inet_dist_use_interface {127,0,0,1}'
# A process of AiiDA's may take weeks, and its message is confirmed when it ends. RabbitMQ would wait half an hour.
_ADVANCED: Final = '[{rabbit, [{consumer_timeout, undefined}]}].\n'


def start(site: Site) -> bool:
    """Start the server if it does not run, and say whether that was needed; it serves a little later."""
    if running(site, NAME):
        return False
    owner = account('rabbitmq')
    folder = owner.folder(site.folder / NAME)
    _configure(site, folder, owner)
    if not running(site, _EPMD):
        # In the foreground, so that its id is known: one that Erlang starts outlives the server.
        spawn(site, _EPMD, [_program('epmd'), '-port', str(site.ports[_EPMD]), '-address', '127.0.0.1'], owner)
    spawn(site, NAME, [_program('rabbitmq-server')], owner, environment=_environment(site, folder))
    return True


def wait_until_ready(site: Site) -> None:
    """Return when the server serves."""
    wait(site, NAME, lambda: _answers(site.ports[NAME]))


def stop(site: Site) -> bool:
    """Stop the server, which writes down what it keeps, and say whether it ran."""
    ran = end(site, NAME, signal.SIGTERM, signal.SIGKILL)
    end(site, _EPMD, signal.SIGTERM, signal.SIGKILL)
    return ran


def _answers(port: int) -> bool:
    """Whether a server speaks AMQP; RabbitMQ listens when all else is up."""
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=1) as connection:
            connection.sendall(b'AMQP\x00\x00\x09\x01')
            return bool(connection.recv(1))
    except OSError:
        return False


def _program(name: str) -> str:
    """Return a program; what Debian puts on the PATH asks for root and knows the system's server only."""
    plain = _DEBIAN / name
    found = str(plain) if plain.exists() else shutil.which(name)
    if found is None:
        raise ServiceError('RabbitMQ is not installed; run: services/install.sh')
    return found


def _configure(site: Site, folder: Path, owner: Account) -> None:
    """Write what the server reads as it starts; user and password count the first time only."""
    files = {
        'rabbitmq.conf': (
            f'listeners.tcp.local = 127.0.0.1:{site.ports[NAME]}\n'
            f'default_user = {USER}\ndefault_pass = {site.passwords[NAME]}\n'
        ),
        'advanced.config': _ADVANCED,
        'enabled_plugins': '[].\n',
        # Instead of the system's.
        'environment.conf': '',
        # Erlang's own secret; as a file, since RabbitMQ would put the variable for it on a command line.
        '.erlang.cookie': site.passwords['cookie'],
    }
    for name, text in files.items():
        write_private(folder / name, text, owner)
    control = site.folder / CONTROL
    variables = [f'{name}={shlex.quote(value)}' for name, value in _environment(site, folder).items()]
    lines = ['#!/bin/sh', '# Ask or change the RabbitMQ server of this folder.', f'export {" ".join(variables)}']
    control.write_text('\n'.join([*lines, f'exec {shlex.quote(_program("rabbitmqctl"))} "$@"', '']))
    control.chmod(0o755)


def _environment(site: Site, folder: Path) -> dict[str, str]:
    return {
        'HOME': str(folder),
        'RABBITMQ_NODENAME': 'anial@localhost',
        'RABBITMQ_CONF_ENV_FILE': str(folder / 'environment.conf'),
        'RABBITMQ_CONFIG_FILE': str(folder / 'rabbitmq.conf'),
        'RABBITMQ_ADVANCED_CONFIG_FILE': str(folder / 'advanced.config'),
        'RABBITMQ_ENABLED_PLUGINS_FILE': str(folder / 'enabled_plugins'),
        'RABBITMQ_MNESIA_BASE': str(folder / 'mnesia'),
        'RABBITMQ_LOG_BASE': str(folder / 'log'),
        'RABBITMQ_DIST_PORT': str(site.ports['distribution']),
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': _ON_THIS_MACHINE,
        'RABBITMQ_CTL_ERL_ARGS': _ON_THIS_MACHINE,
        'ERL_EPMD_PORT': str(site.ports[_EPMD]),
        'ERL_EPMD_ADDRESS': '127.0.0.1',
        # The script then becomes the server, instead of watching over it, so that its id is the server's.
        'RUNNING_UNDER_SYSTEMD': '1',
        'LANG': 'C.UTF-8',
    }
