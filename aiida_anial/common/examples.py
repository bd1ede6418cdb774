"""Examples at the end of the help of a command."""

from __future__ import annotations

__all__ = ('example_lines',)


def example_lines(program: str, *commands: str) -> str:
    """Return the end of a help text with examples, which click must not reflow.

    :param program: the program that comes before each of the commands.
    """
    return '\b\n' + '\n'.join(['Examples:', *(f'{program} {command}' for command in commands)])
