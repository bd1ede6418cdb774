"""How a training can end without an ensemble."""

from __future__ import annotations

from aiida_anial.common.errors import AnialError

__all__ = ('TrainingFailed', 'TrainingInterrupted')


class TrainingFailed(AnialError):  # noqa: N818 - an outcome of the method, not a programming error
    """Too many members diverged, or one did every time it was tried."""


class TrainingInterrupted(Exception):  # noqa: N818 - not an error: the training goes on from its checkpoint
    """The training was asked to stop; its checkpoint has been written."""
