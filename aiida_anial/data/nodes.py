"""Find nodes: by what a user types, by an extra, or an exported file by its checksum."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.manage import get_manager

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
# Nodes in a message on an identifier that may mean several.
_LISTED = 5


def is_beyond(identifier: str) -> bool:
    """Return whether ``identifier`` is a number too large to be the pk of a node."""
    digits = identifier.strip().lstrip('+-').replace('_', '')
    return digits.isdecimal() and (len(digits) > len(str(_LARGEST)) or int(digits) > _LARGEST)


def loaded(identifier: str, option: str, *, or_file: bool = False) -> Any:
    """Return the node with this pk, UUID or label.

    :param option: option to name in messages.
    :param or_file: whether a file might have been meant, too.
    :raises AnialError: if there is no such node.
    """
    what = 'node and no file' if or_file else 'node'
    return _loaded(identifier, option, orm.load_node, lambda: f'there is no {what} {identifier!r}{_in_profile()}.')


def _loaded(identifier: str, option: str, load: Callable[[str], Any], missing: Callable[[], str]) -> Any:
    """Return what ``load`` finds.

    :param missing: returns what to say if there is nothing.
    :raises AnialError: if there is nothing, or the beginning of a UUID or a label means several nodes.
    """
    try:
        if is_beyond(identifier):
            raise NotExistent(identifier)
        return load(identifier)
    except MultipleObjectsError as exception:
        raise AnialError(f'{option}: {identifier!r} may be {_candidates(identifier)}; give a pk.') from exception
    except (NotExistent, ValueError) as exception:
        raise AnialError(f'{option}: {missing()}') from exception


def _in_profile() -> str:
    profile = get_manager().get_profile()
    return f' in the profile {profile.name}' if profile is not None else ''


def _candidates(identifier: str) -> str:
    """Return the nodes that the beginning of a UUID or a label may mean."""
    label = identifier.split('@', maxsplit=1)[0]
    meant = {'or': [{'uuid': {'like': f'{_escaped(identifier)}%'}}, {'label': label}]}
    query = orm.QueryBuilder().append(orm.Node, filters=meant, tag='node').order_by({'node': {'id': 'asc'}})
    nodes = query.limit(_LISTED + 1).all(flat=True)
    named = [f'{getattr(node, "process_label", None) or type(node).__name__}<{node.pk}>' for node in nodes]
    return ', '.join(named[:_LISTED]) + (' and others' if len(named) > _LISTED else '')


def _escaped(text: str) -> str:
    """Return the text with what SQL takes for a pattern escaped."""
    return text.replace('\\', r'\\').replace('%', r'\%').replace('_', r'\_')


def loaded_code(identifier: str, plugin: str, option: str) -> orm.AbstractCode:
    """Return the code with this pk, UUID or label.

    :param plugin: entry point of a calculation that the code must run.
    :param option: option to name in messages.
    :raises AnialError: if there is no such code, or it runs another program.
    """

    def missing() -> str:
        labels = [entry.full_label for entry in orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)]
        close = difflib.get_close_matches(identifier, labels, n=1)
        hint = f'did you mean {close[0]!r}?' if close else 'run `aiida-anial setup`, or see `verdi code list`.'
        return f'there is no code {identifier!r}{_in_profile()}; {hint}'

    found: orm.AbstractCode = _loaded(identifier, option, orm.load_code, missing)
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
