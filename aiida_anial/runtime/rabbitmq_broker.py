"""End a daemon worker whose RabbitMQ server goes away, and let the next one wait for it.

:hook: ``RabbitmqBroker._create_communicator``, ``RabbitmqBroker._profile`` and ``add_close_callback`` of kiwipy
:changes: A daemon worker waits for the server before it connects, and ends when the connection is closed by anybody
    but itself. A command says in one sentence that the server does not answer.
:why: kiwipy connects again by itself. RabbitMQ then hands out a second time what the worker is still working on, and
    calculations are paid for twice.
:upstream: aiida-core #4595, where the maintainers name this cure; kiwipy #104 made it possible
:until: AiiDA drops what it is working on when its connection to RabbitMQ breaks.
"""

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
    """The server does not answer. AiiDA catches ``ConnectionError``, the commands of this package ``AnialError``."""


class RecoveringRabbitmqBroker(RabbitmqBroker):
    """``core.rabbitmq``, with the same queues, for daemon workers that wait for their server."""

    _closing = False

    def close(self) -> None:
        """Close the connection on purpose, so that the worker does not end."""
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
        """End the worker before it connects again, for RabbitMQ hands its tasks out a second time."""
        if not self._closing:
            end_worker(_NAME, reason)

    def _refusal(self) -> str:
        """Return why the server does not listen; empty if it does."""
        config = self._profile.process_control_config
        try:
            socket.create_connection((config['broker_host'], config['broker_port']), timeout=_TIMEOUT_S).close()
        except OSError as exception:
            return str(exception)
        return ''
