"""Nodes that a user names."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_anial.common.errors import AnialError

__all__ = ('is_beyond', 'loaded')

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
