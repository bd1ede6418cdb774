"""Errors whose message is one sentence for the user."""

from __future__ import annotations

__all__ = ('AnialError', 'FileFormatError', 'SettingsError')


class AnialError(Exception):
    """Base of the errors that a user can cause and mend; the message is one sentence that says how."""


class SettingsError(AnialError, ValueError):
    """A setting is unknown, of the wrong type, or impossible; the message names its key."""


class FileFormatError(AnialError, ValueError):
    """A file is not what its reader expects; the message names the file and what is wrong in it."""
