"""Submission of a process to the daemon."""

from __future__ import annotations

from typing import Any

import click
from aiida.engine import submit

from aiida_anial.common.errors import AnialError
from aiida_anial.runtime.deaf_workers import end_deaf_workers

__all__ = ('launched',)


def launched(builder: Any) -> Any:
    """Submit a process, after ending daemon workers that have lost the broker, and return its node.

    :raises AnialError: if an input is invalid; nothing is stored then.
    """
    if ended := end_deaf_workers():
        click.echo(f'{ended} daemon workers had lost the broker and were ended; the daemon starts new ones.', err=True)
    try:
        return submit(builder)
    except ValueError as exception:
        raise AnialError(str(exception)) from exception
