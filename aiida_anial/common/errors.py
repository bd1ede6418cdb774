"""The errors that users read, and text that a terminal can show on one line."""

from __future__ import annotations

__all__ = ('AnialError', 'FileFormatError', 'SettingsError', 'is_printable', 'one_line')


class AnialError(Exception):
    """Base of the errors that a user can cause and mend; the message is one sentence that says how."""


class SettingsError(AnialError, ValueError):
    """A setting is unknown, of the wrong type, or impossible; the message names its key."""


class FileFormatError(AnialError, ValueError):
    """A file is not what its reader expects; the message names the file and what is wrong in it."""


_MAX_CHARACTERS = 1000


def is_printable(text: str) -> bool:
    """Whether ``text`` has nothing but characters that take their place on a line.

    Control characters, such as those that begin an escape sequence, are none of them; nor are those without a width of
    their own, which make a text look like another, and halves of a pair.
    """
    return text.isprintable()


def one_line(text: object) -> str:
    """Return ``text`` as one line that a terminal only shows: no control characters, no end of it beyond measure."""
    words = ' '.join(str(text)[: 2 * _MAX_CHARACTERS].split())
    if len(words) > _MAX_CHARACTERS:
        words = f'{words[:_MAX_CHARACTERS].rstrip()}...'
    return ''.join(one if one.isprintable() else ascii(one)[1:-1] for one in words)
