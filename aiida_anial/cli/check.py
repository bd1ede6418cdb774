"""What a check of the doctor's finds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ('Check',)


@dataclass(frozen=True)
class Check:
    """One thing that a campaign needs.

    :param passed: nothing where it cannot be seen from here.
    :param finding: what was found.
    :param remedy: what to do where it is missing, or where to look where it cannot be seen.
    """

    name: str
    passed: bool | None
    finding: str
    remedy: str = ''
