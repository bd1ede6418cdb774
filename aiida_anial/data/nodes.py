"""Nodes by state, by extra, and by what a user types."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.engine import ProcessState

from aiida_anial.common.errors import AnialError

__all__ = ('ACTIVE', 'ENDED', 'FINGERPRINT', 'REPRODUCES', 'WAITS_FOR', 'is_beyond', 'loaded')

ACTIVE: Final = [state.value for state in (ProcessState.CREATED, ProcessState.RUNNING, ProcessState.WAITING)]
ENDED: Final = [state.value for state in (ProcessState.FINISHED, ProcessState.EXCEPTED, ProcessState.KILLED)]


REPRODUCES = 'reproduces'
"""On whatever ran or was made when a step was reproduced: the UUID of that step. Queries leave such nodes out."""

FINGERPRINT = 'fingerprint'
"""On a calculation of a benchmark by DFT: what it was of. One that finished is not paid for again."""

WAITS_FOR = 'waits_for'
"""On a labelling that a computer has no room for now: the UUID of the computer."""


# Databases count nodes in 32 bits, and each has an error of its own for a number that does not fit.
_LARGEST = 2**31 - 1


def is_beyond(identifier: str) -> bool:
    """Whether ``identifier`` is a number that no node can have."""
    digits = identifier.strip().lstrip('+-').replace('_', '')
    return digits.isdecimal() and (len(digits) > len(str(_LARGEST)) or int(digits) > _LARGEST)


def loaded(identifier: str, option: str) -> Any:
    """Return the node with this pk, UUID or label.

    :param option: the option to name in messages.
    :raises AnialError: if there is none.
    """
    try:
        if not is_beyond(identifier):
            return orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise AnialError(f'{option}: there is no node {identifier!r}.') from exception
    raise AnialError(f'{option}: there is no node {identifier!r}.')
