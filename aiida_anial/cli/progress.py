"""Say on a terminal what a command is doing; nothing of it remains, and without a terminal nothing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ('working',)


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Show what the block does beside a spinner, on the standard error.

    :param text: what it does; the block gets a function that changes it.
    """
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    with console.status(text) as status:
        yield status.update
