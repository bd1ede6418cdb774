"""The RabbitMQ server of a production profile: log in to it, and read its settings."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import aio_pika
from aiida.brokers.rabbitmq.utils import get_rmq_url
from pamqp.exceptions import PAMQPException

from aiida_anial.cli.credentials import RabbitmqServer
from aiida_anial.common.errors import AnialError

__all__ = ('OLDEST', 'BrokerFacts', 'broker_config', 'broker_facts', 'broker_version', 'server_of')

# AiiDA's requirement.
OLDEST: Final = '3.6'

_TIMEOUT_S: Final = 15.0
_CONTROL: Final = 'rabbitmqctl'
_PORT_MAPPER: Final = 4369
# Our own key in AiiDA's configuration of the broker; AiiDA ignores it.
_CONTROL_KEY: Final = 'anial_control'
_QUESTION: Final = (
    '{application:get_env(rabbit, consumer_timeout), '
    'list_to_tuple([element(6, L) || L <- rabbit_networking:active_listeners()]), '
    'length(rabbit_alarm:get_alarms())}.'
)


@dataclass(frozen=True)
class BrokerFacts:
    """Settings of a server that only its own command can read.

    :param timeout_ms: time in ms after which the server takes a task away from a daemon worker; None if it never does.
    :param n_alarms: number of memory and disk alarms, during which the server accepts no messages.
    :param unseen: why the settings cannot be read; empty if they can.
    """

    timeout_ms: int | None = None
    n_alarms: int = 0
    unseen: str = ''


def broker_config(server: RabbitmqServer) -> dict[str, Any]:
    """Return AiiDA's configuration of the broker."""
    names = ('protocol', 'host', 'port', 'password', 'virtual_host')
    config = {f'broker_{name}': getattr(server, name) for name in names}
    return {**config, 'broker_username': server.user, _CONTROL_KEY: server.control}


def server_of(config: dict[str, Any]) -> RabbitmqServer:
    """Return the server that AiiDA's configuration of the broker describes."""
    names = ('protocol', 'host', 'port', 'password', 'virtual_host')
    values = {name: config[f'broker_{name}'] for name in names if config.get(f'broker_{name}') is not None}
    return RabbitmqServer(**values, user=config.get('broker_username', ''), control=config.get(_CONTROL_KEY, ''))


def broker_version(server: RabbitmqServer) -> str:
    """Log in as AiiDA does, create and remove a queue, and return the version of the server.

    :raises AnialError: if the server does not answer, or refuses the login.
    """
    where = f'rabbitmq: {server.user} cannot log in to {server.host}:{server.port}'
    try:
        # An event loop of our own: `asyncio.run` would unset the current one, which AiiDA needs.
        with _silence(), asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(asyncio.wait_for(_ask(server), _TIMEOUT_S))
    except TimeoutError:
        raise AnialError(f'{where}: no answer within {_TIMEOUT_S:.0f} s.') from None
    # Errors of the protocol and of the network.
    except (PAMQPException, OSError, aio_pika.exceptions.AMQPException) as exception:
        raise AnialError(f'{where}: {_reason(exception)}.') from None


async def _ask(server: RabbitmqServer) -> str:
    address = get_rmq_url(
        protocol=server.protocol,
        username=server.user,
        password=server.password,
        host=server.host,
        port=str(server.port),
        virtual_host=server.virtual_host,
    )
    connection = await aio_pika.connect(address)
    try:
        channel = await connection.channel()
        # An exclusive queue is removed with the connection.
        await channel.declare_queue(exclusive=True)
        properties = connection.transport.connection.server_properties if connection.transport else {}
        return str(properties.get('version', ''))
    finally:
        await connection.close()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the libraries from logging errors that are reported in one sentence."""
    loggers = [logging.getLogger(name) for name in ('aiormq', 'aiormq.connection', 'aio_pika')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _reason(exception: Exception) -> str:
    """Return the server's message on one line and without the full stop."""
    # When the server closes the connection unexpectedly, the reason is in the close frame.
    frames = [part for part in exception.args if hasattr(part, 'reply_text')]
    text = ' '.join(str(frames[0].reply_text if frames else exception).split())
    return text.rstrip('.') or type(exception).__name__


def _has_nodes() -> bool:
    """Return whether Erlang's port mapper runs.

    Without one, `rabbitmqctl` would start it, wait in vain for a server, and leave it running.
    """
    try:
        socket.create_connection(('127.0.0.1', int(os.environ.get('ERL_EPMD_PORT', _PORT_MAPPER))), timeout=1).close()
    except (OSError, ValueError):
        return False
    return True


def _unseen(server: RabbitmqServer) -> str:
    """Return why the settings cannot be read from here, or an empty string."""
    if not server.control and server.host not in {'127.0.0.1', 'localhost', socket.gethostname()}:
        return 'the server is on another machine'
    if not server.control and not _has_nodes():
        return 'the port mapper of Erlang, epmd, does not run on this machine'
    name = server.control or _CONTROL
    return '' if shutil.which(name) else f'there is no {name} here'


def broker_facts(server: RabbitmqServer) -> BrokerFacts:
    """Read the settings with the server's own command; clients cannot read them."""
    command = shutil.which(server.control or _CONTROL) or ''
    if unseen := _unseen(server):
        return BrokerFacts(unseen=unseen)
    try:
        result = subprocess.run(  # noqa: S603 - a list, no shell
            [command, '--quiet', 'eval', _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=4 * _TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as exception:
        return BrokerFacts(unseen=f'{command} cannot run: {type(exception).__name__}')
    found = re.search(r'\{(?:\{ok,(\w+)\}|undefined),\{([\d,]*)\},(\d+)\}', result.stdout)
    if result.returncode or found is None:
        return BrokerFacts(unseen=f'{command} cannot reach a server, or may not query it')
    if str(server.port) not in found[2].split(','):
        return BrokerFacts(unseen=f'{command} belongs to another server')
    return BrokerFacts(int(found[1]) if (found[1] or '').isdigit() else None, int(found[3]))
