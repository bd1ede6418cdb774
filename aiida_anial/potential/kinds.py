"""The kinds of potentials there are, and how what belongs to one is found without importing the others."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from aiida_anial.common.errors import SettingsError

__all__ = ('DEFAULT_KIND', 'POTENTIALS', 'loaded', 'of_kind')

# Settings and files that name no kind are of this one: they were written when there was no other.
DEFAULT_KIND = 'ani'

POTENTIALS = {'ani': 'aiida_anial.potential.ensemble:Ensemble'}
"""For each ``model.kind`` the class that follows :class:`~aiida_anial.potential.potential.Potential`.

The daemon imports these modules to check inputs, so they import no torch and compile nothing.
"""


def of_kind(registry: Mapping[str, str], kind: object, *, where: str = 'model.kind') -> Any:
    """Return what ``registry`` has for a kind of potential.

    :param registry: ``module:name`` by kind, such as ``POTENTIALS``.
    :param kind: value of ``model.kind``.
    :param where: the key that holds it, for the message.
    :raises SettingsError: if the kind is unknown.
    """
    if not isinstance(kind, str) or kind not in registry:
        raise SettingsError(f'{where}: unknown kind {str(kind)[:40]!r}; known kinds are {", ".join(sorted(registry))}.')
    return loaded(registry[kind])


def loaded(path: str) -> Any:
    """Return the object at ``module:name``."""
    module, _, name = path.partition(':')
    return getattr(importlib.import_module(module), name)
