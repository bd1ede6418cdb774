"""Errors for users, and text made safe to print on one line of a terminal."""

from __future__ import annotations

__all__ = ('AnialError', 'FileFormatError', 'SettingsError', 'is_printable', 'one_line')


class AnialError(Exception):
    """Base of the errors that a user can cause and fix; the message is one sentence that says how."""


class SettingsError(AnialError, ValueError):
    """A setting is unknown, of the wrong type, or impossible; the message names its key."""


class FileFormatError(AnialError, ValueError):
    """A file is not what its reader expects; the message names the file and what is wrong in it."""


_MAX_CHARACTERS = 1000


def is_printable(text: str) -> bool:
    """Whether ``text`` has only visible characters and blanks.

    Not allowed are control characters, which can start escape sequences, zero-width characters, which make one text
    look like another, and unpaired surrogates.
    """
    return text.isprintable()


def one_line(text: object) -> str:
    """Return ``text`` on one line, with control characters escaped and cut at 1000 characters."""
    words = ' '.join(str(text)[: 2 * _MAX_CHARACTERS].split())
    if len(words) > _MAX_CHARACTERS:
        words = f'{words[:_MAX_CHARACTERS].rstrip()}...'
    return ''.join(one if one.isprintable() else ascii(one)[1:-1] for one in words)
