"""Nodes by what a user types, and the extras by which nodes are told apart."""

from __future__ import annotations

import difflib
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData

__all__ = (
    'REPRODUCES',
    'is_beyond',
    'loaded',
    'loaded_code',
    'loaded_ensemble',
)

REPRODUCES = 'reproduces'
"""On whatever ran or was made when a step was reproduced: the UUID of that step. Queries leave such nodes out."""

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


def loaded_code(identifier: str, plugin: str, option: str) -> orm.AbstractCode:
    """Return the code ``identifier``.

    :param plugin: what it must be for.
    :param option: the option to name in messages.
    :raises AnialError: if there is none, or it is for something else.
    """
    try:
        if is_beyond(identifier):
            raise NotExistent(identifier)
        found = orm.load_code(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        labels = [entry.full_label for entry in orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)]
        close = difflib.get_close_matches(identifier, labels, n=1)
        hint = f'did you mean {close[0]!r}?' if close else 'run `aiida-anial setup`, or see `verdi code list`.'
        raise AnialError(f'{option}: there is no code {identifier!r}; {hint}') from exception
    given = found.default_calc_job_plugin
    if given is not None and given.split('.')[0] != plugin.split('.', maxsplit=1)[0]:
        raise AnialError(f'{option}: code {identifier!r} runs {given!r}, not {plugin!r}.')
    return found


def loaded_ensemble(identifier: str | None, option: str = '--teacher') -> EnsembleData:
    """Return the ensemble ``identifier``.

    :raises AnialError: if there is none, or the node is something else.
    """
    if identifier is None:
        raise AnialError(f'{option}: the labeller ensemble needs the pk or UUID of a trained ensemble.')
    node = loaded(identifier, option)
    if not isinstance(node, EnsembleData):
        raise AnialError(f'{option}: node {identifier} is a {type(node).__name__}, not an EnsembleData.')
    return node
