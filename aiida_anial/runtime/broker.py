"""AiiDA's broker RabbitMQ, whose daemon workers end when the server goes away."""

from __future__ import annotations

import socket
from typing import Any, Final

from aiida.brokers.rabbitmq.broker import RabbitmqBroker
from kiwipy.rmq import RmqThreadCommunicator

from aiida_anial.common.errors import AnialError
from aiida_anial.runtime.daemon_worker import end_worker, is_worker, wait_for

__all__ = ('RecoveringRabbitmqBroker',)

_NAME: Final = 'RabbitMQ'
_TIMEOUT_S: Final = 15.0


class _NoServerError(AnialError, ConnectionError):
    """The server does not answer; AiiDA looks for the second, our commands for the first."""


class RecoveringRabbitmqBroker(RabbitmqBroker):
    """The broker ``core.rabbitmq``, with the same queues."""

    _closing = False

    def close(self) -> None:
        """Close the broker, on purpose."""
        self._closing = True
        super().close()

    def _create_communicator(self) -> RmqThreadCommunicator:
        self._closing = False
        if is_worker():
            wait_for(_NAME, self._refusal)
        elif refusal := self._refusal():
            raise _NoServerError(f'{_NAME} does not answer: {refusal}; start it, see `aiida-anial doctor`.')
        communicator = super()._create_communicator()
        if is_worker():
            communicator.add_close_callback(self._on_closed)
        return communicator

    def _on_closed(self, _connection: Any, reason: BaseException | None) -> None:
        """End the worker before it is connected again: what it works on would be handed out a second time."""
        if not self._closing:
            end_worker(_NAME, reason)

    def _refusal(self) -> str:
        """Return why nobody listens, nothing if somebody does."""
        config = self._profile.process_control_config
        try:
            socket.create_connection((config['broker_host'], config['broker_port']), timeout=_TIMEOUT_S).close()
        except OSError as exception:
            return str(exception)
        return ''
