"""Runs that happen in processes of their own and take turns with others."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Self

import common
import torch

__all__ = ('Remote',)

# Makes a number of steps and returns how much work that was, and the seconds.
Run = Callable[[int], tuple[float, float]]


class Remote:
    """A process that makes steps when it is asked to.

    :param make: a function of a module, which returns in the new process what makes steps there.
    :param arguments: of ``make``.
    :param threads: of torch in the new process.
    :param environment: variables that it gets besides those of this process.
    """

    def __init__(
        self, make: Callable[..., Run], *arguments: Any, threads: int, environment: Mapping[str, str] | None = None
    ) -> None:
        context = multiprocessing.get_context('spawn')
        self._end, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, threads, make, arguments), daemon=True)
        with _environment(environment or {}):
            self._process.start()
        other.close()

    def start(self, steps: int) -> None:
        """Ask for so many steps."""
        self._end.send(steps)

    def finish(self) -> tuple[float, float]:
        """Wait for the steps that were asked for; return how much work they were, and the process's own seconds.

        :raises EOFError: if the process has failed; it says why on the standard error.
        """
        amount, duration = self._end.recv()
        return float(amount), float(duration)

    def run(self, steps: int) -> tuple[float, float]:
        """Make so many steps."""
        self.start(steps)
        return self.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        self._process.join()


def _serve(end: Connection, threads: int, make: Callable[..., Run], arguments: tuple[Any, ...]) -> None:
    """Be the process."""
    torch.set_num_threads(threads)
    with common.quiet():
        run = make(*arguments)
        while True:
            try:
                steps = end.recv()
            except EOFError:
                return
            end.send(run(steps))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Any:
    """Set environment variables for a while: a new process gets those of this one."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
