"""Show long output in a pager, as git does."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import click

__all__ = ('paged',)


class _OnTerminal(StringIO):
    """Text for a terminal, which has colours and a width."""

    def isatty(self) -> bool:
        """Return that this is for a terminal."""
        return True


@contextmanager
def paged() -> Iterator[None]:
    """Show what the block prints in the pager of the user if it is longer than the terminal.

    ``PAGER`` names the pager; with ``PAGER=cat``, and in a pipe, there is none.
    """
    if not sys.stdout.isatty():
        yield
        return
    text = _OnTerminal()
    try:
        with redirect_stdout(text):
            yield
    finally:
        _show(text.getvalue())


def _show(text: str) -> None:
    if len(text.splitlines()) < shutil.get_terminal_size().lines:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)
