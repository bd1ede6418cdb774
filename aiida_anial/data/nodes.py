"""Find nodes: by what a user types, by an extra, or an exported file by its checksum."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData

__all__ = (
    'CHECKSUMS',
    'REPRODUCES',
    'checksum',
    'exported_file',
    'exported_folder',
    'is_beyond',
    'loaded',
    'loaded_code',
    'loaded_ensemble',
)

REPRODUCES = 'reproduces'
"""Extra of every node that was created by reproducing a step: the UUID of the original. Queries leave them out."""

CHECKSUMS = 'sha256'
"""Attribute that maps the SHA-256 of each file to its name."""

# Databases store pks in 32 bits, and each raises an error of its own for a larger number.
_LARGEST = 2**31 - 1


def is_beyond(identifier: str) -> bool:
    """Return whether ``identifier`` is a number too large to be the pk of a node."""
    digits = identifier.strip().lstrip('+-').replace('_', '')
    return digits.isdecimal() and (len(digits) > len(str(_LARGEST)) or int(digits) > _LARGEST)


def loaded(identifier: str, option: str) -> Any:
    """Return the node with this pk, UUID or label.

    :param option: option to name in messages.
    :raises AnialError: if there is no such node.
    """
    try:
        if not is_beyond(identifier):
            return orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise AnialError(f'{option}: there is no node {identifier!r}.') from exception
    raise AnialError(f'{option}: there is no node {identifier!r}.')


def loaded_code(identifier: str, plugin: str, option: str) -> orm.AbstractCode:
    """Return the code with this pk, UUID or label.

    :param plugin: entry point of a calculation that the code must run.
    :param option: option to name in messages.
    :raises AnialError: if there is no such code, or it runs another program.
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
    """Return the ensemble with this pk, UUID or label.

    :param option: option to name in messages.
    :raises AnialError: if there is no such node, or it is not an ensemble.
    """
    if identifier is None:
        raise AnialError(f'{option}: the labeller ensemble needs the pk or UUID of a trained ensemble.')
    node = loaded(identifier, option)
    if not isinstance(node, EnsembleData):
        raise AnialError(f'{option}: node {identifier} is a {type(node).__name__}, not an EnsembleData.')
    return node


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def exported_file(path: Path, **attributes: Any) -> orm.SinglefileData:
    """Return the file ``path`` as a node with the given attributes."""
    node = orm.SinglefileData(path)
    node.base.attributes.set_many({**attributes, CHECKSUMS: {checksum(path): path.name}})
    return node


def exported_folder(folder: Path, **attributes: Any) -> orm.FolderData:
    """Return all files under ``folder`` as a node with the given attributes."""
    node = orm.FolderData(tree=str(folder))
    files = {checksum(path): str(path.relative_to(folder)) for path in sorted(folder.rglob('*')) if path.is_file()}
    node.base.attributes.set_many({**attributes, CHECKSUMS: files})
    return node
