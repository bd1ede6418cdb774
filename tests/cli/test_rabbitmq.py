"""Logging in to a RabbitMQ server leaves AiiDA's event loop in the same process intact."""

from __future__ import annotations

import asyncio
import socket

import pytest

from aiida_anial.cli.credentials import RabbitmqServer
from aiida_anial.cli.rabbitmq import broker_version
from aiida_anial.common.errors import AnialError


def test_the_event_loop_of_the_process_is_unchanged():
    current = asyncio.get_event_loop_policy().get_event_loop
    before = current()
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        with pytest.raises(AnialError, match=r'rabbitmq: guest cannot log in to 127\.0\.0\.1'):
            broker_version(RabbitmqServer(port=closed.getsockname()[1]))
    assert current() is before
