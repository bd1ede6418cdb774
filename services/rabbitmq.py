"""Start and stop the private RabbitMQ server, with Erlang's port mapper."""

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
# The command that controls this server and no other.
CONTROL: Final = 'rabbitmqctl'

_EPMD: Final = 'epmd'
_DEBIAN: Final = Path('/usr/lib/rabbitmq/bin')
_ON_THIS_MACHINE: Final = '-kernel inet_dist_use_interface {127,0,0,1}'
# An AiiDA process may take weeks, and its message is acknowledged when it ends; RabbitMQ's default is half an hour.
_ADVANCED: Final = '[{rabbit, [{consumer_timeout, undefined}]}].\n'


def start(site: Site) -> bool:
    """Start the server unless it runs, and return whether it was started; it becomes ready a little later."""
    if running(site, NAME):
        return False
    owner = account('rabbitmq')
    folder = owner.folder(site.folder / NAME)
    _configure(site, folder, owner)
    if not running(site, _EPMD):
        # In the foreground, so that its process id is known; a port mapper started by Erlang outlives the server.
        spawn(site, _EPMD, [_program('epmd'), '-port', str(site.ports[_EPMD]), '-address', '127.0.0.1'], owner)
    spawn(site, NAME, [_program('rabbitmq-server')], owner, environment=_environment(site, folder))
    return True


def wait_until_ready(site: Site) -> None:
    """Wait until the server accepts connections."""
    wait(site, NAME, lambda: _answers(site.ports[NAME]))


def stop(site: Site) -> bool:
    """Stop the server, which saves its state, and return whether it was running."""
    ran = end(site, NAME, signal.SIGTERM, signal.SIGKILL)
    end(site, _EPMD, signal.SIGTERM, signal.SIGKILL)
    return ran


def _answers(port: int) -> bool:
    """Return whether a server speaks AMQP; RabbitMQ listens once everything else is up."""
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=1) as connection:
            connection.sendall(b'AMQP\x00\x00\x09\x01')
            return bool(connection.recv(1))
    except OSError:
        return False


def _program(name: str) -> str:
    """Return the path of a program; Debian's wrappers on the PATH need root and know only the system server."""
    plain = _DEBIAN / name
    found = str(plain) if plain.exists() else shutil.which(name)
    if found is None:
        raise ServiceError('RabbitMQ is not installed; run: services/install.sh')
    return found


def _configure(site: Site, folder: Path, owner: Account) -> None:
    """Write the configuration of the server; user and password take effect only at the first start."""
    files = {
        'rabbitmq.conf': (
            f'listeners.tcp.local = 127.0.0.1:{site.ports[NAME]}\n'
            f'default_user = {USER}\ndefault_pass = {site.passwords[NAME]}\n'
        ),
        'advanced.config': _ADVANCED,
        'enabled_plugins': '[].\n',
        # Instead of the system configuration.
        'environment.conf': '',
        # Erlang's cookie, as a file, because RabbitMQ would pass the variable for it on a command line.
        '.erlang.cookie': site.passwords['cookie'],
    }
    for name, text in files.items():
        write_private(folder / name, text, owner)
    control = site.folder / CONTROL
    variables = [f'{name}={shlex.quote(value)}' for name, value in _environment(site, folder).items()]
    lines = ['#!/bin/sh', '# Control the RabbitMQ server of this folder.', f'export {" ".join(variables)}']
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
        # The script then becomes the server instead of supervising it, so that it has the process id of the server.
        'RUNNING_UNDER_SYSTEMD': '1',
        'LANG': 'C.UTF-8',
    }
