"""Long output through a pager, as git shows it."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Final

import click
from rich.cells import cell_len

__all__ = ('paged',)

# Variables that name a pager, the first that is set counts. An empty one, or `cat`, switches paging off.
_VARIABLES: Final = ('AIIDA_ANIAL_PAGER', 'PAGER')
_DEFAULT: Final = 'less'
# As git sets it: colours pass, and the text stays on the screen after the pager has ended.
_LESS: Final = 'FRX'


@contextmanager
def paged() -> Iterator[None]:
    """Show what the block prints through a pager, if it goes to a terminal and is longer than the screen."""
    if not sys.stdout.isatty() or os.environ.get('TERM') == 'dumb':
        yield
        return
    collected = _Collected(sys.stdout.encoding)
    try:
        with redirect_stdout(collected):
            yield
    finally:
        _show(collected.getvalue())


class _Collected(io.StringIO):
    """Text that is on its way to a terminal, so that colours and widths are chosen as for the terminal itself."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._of_terminal = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the terminal."""
        return self._of_terminal

    def isatty(self) -> bool:
        """Return that it is a terminal."""
        return True


def _show(text: str) -> None:
    columns, lines = shutil.get_terminal_size()
    rows = sum(max(-(-cell_len(click.unstyle(line)) // columns), 1) for line in text.splitlines())
    if rows < lines or not _through(_pager(), text):
        sys.stdout.write(text)


def _pager() -> list[str]:
    """Return the command of the pager, empty for none."""
    command = next((os.environ[name] for name in _VARIABLES if name in os.environ), _DEFAULT)
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    return [] if words == ['cat'] else words


def _through(command: Sequence[str], text: str) -> bool:
    """Show a text through a pager, and return whether there is one."""
    if not command or shutil.which(command[0]) is None:
        return False
    sys.stdout.flush()
    environment = {'LESS': _LESS, **os.environ}
    pager = subprocess.Popen(  # noqa: S603 - a list, no shell
        command, stdin=subprocess.PIPE, env=environment, encoding=sys.stdout.encoding, errors='replace'
    )
    # Ctrl-C is for the pager, which has the terminal until it ends.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pager.communicate(text)
    except KeyboardInterrupt:
        pager.terminate()
        raise
    finally:
        signal.signal(signal.SIGINT, handler)
    return True
