"""A program in a terminal, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyte

__all__ = ('Terminal',)


class Terminal:
    """A program in a terminal of its own.

    :param command: words of the command.
    :param environment: its environment.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, lines: int = 24
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b''
        self._own, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))
        self._process = subprocess.Popen(
            list(command), stdin=other, stdout=other, stderr=other, env=dict(environment), start_new_session=True
        )
        os.close(other)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without blanks at their ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as text."""
        return '\n'.join(self.lines)

    def read(self, seconds: float) -> None:
        """Take what the program writes for a while, or until it ends."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._own], [], [], left)
            if not ready:
                return
            try:
                data = os.read(self._own, 65536)
            except OSError:
                return
            self.written += data
            self._stream.feed(data)

    def wait_for(self, text: str, *, limit_s: float = 120.0) -> None:
        """Wait until the screen shows a text."""
        end = time.monotonic() + limit_s
        while text not in self.text:
            assert time.monotonic() < end, f'not on the screen: {text}\n{self.text}'
            self.read(0.2)

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def end(self, *, limit_s: float = 60.0) -> int:
        """Wait for the end of the program, and return its exit status."""
        end = time.monotonic() + limit_s
        while self._process.poll() is None:
            assert time.monotonic() < end, f'still running\n{self.text}'
            self.read(0.1)
        self.read(0.5)
        return self._process.returncode

    def close(self) -> None:
        """Stop the program if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._own)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
