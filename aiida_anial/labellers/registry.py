"""All labellers: those that the modules of this package list in ``LABELLERS``."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from aiida.common import LinkType

from aiida_anial import labellers
from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.common.errors import SettingsError
from aiida_anial.labellers.labeller import Labeller

__all__ = ('check_labeller', 'known_labellers', 'labeller_named', 'labeller_of', 'labeller_of_node')

# Modules beside the labellers; one of them loads the work chains of aiida-quantumespresso.
_HELPERS = {'labeller', 'pw_base', 'pw_inputs', 'pw_trial', 'registry', 'trial'}


@functools.cache
def known_labellers() -> dict[str, Labeller]:
    """Return all labellers by name."""
    names = sorted({module.name for module in pkgutil.iter_modules(labellers.__path__)} - _HELPERS)
    modules = [importlib.import_module(f'{labellers.__name__}.{name}') for name in names]
    return {labeller.name: labeller for module in modules for labeller in getattr(module, 'LABELLERS', ())}


def labeller_named(name: str) -> Labeller:
    """Return the labeller ``name``.

    :raises SettingsError: if there is none.
    """
    known = known_labellers()
    if name not in known:
        raise SettingsError(f'label.labeller: {name!r} is not allowed: it should be one of {", ".join(sorted(known))}.')
    return known[name]


def check_labeller(label: LabellerSettings) -> None:
    """Validate the name of the labeller and its own settings.

    :raises SettingsError: one sentence that names the key.
    """
    labeller_named(label.labeller).check(label)


def labeller_of(inputs: Mapping[str, Any]) -> Labeller:
    """Return the labeller that the inputs of a ``LabelWorkChain`` choose."""
    found = [labeller for labeller in known_labellers().values() if inputs.get(labeller.namespace)]
    names = {labeller.read_name(inputs[labeller.namespace]) for labeller in found}
    return labeller_named(names.pop())


def labeller_of_node(node: Any, above: str = '') -> Labeller:
    """Return the labeller that the inputs of a stored work chain choose.

    :param above: prefix of the link labels of these inputs, such as ``cycle__label__`` in a campaign.
    """
    inputs = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested()
    for name in filter(None, above.split('__')):
        inputs = inputs[name]
    return labeller_of(inputs)
