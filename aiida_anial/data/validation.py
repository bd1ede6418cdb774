"""Validators of process inputs, which refuse an input in one sentence before anything is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from aiida import orm

from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import Settings

__all__ = (
    'CAMPAIGN_ELEMENTS',
    'settings_validator',
    'species_fault',
    'validate_aluminium',
    'validate_cells',
    'validate_positive',
    'validate_property',
    'validate_shards',
)

CAMPAIGN_ELEMENTS = ('Al',)
"""Symbols of the elements that a campaign supports."""


def settings_validator(settings: type[Settings], where: str) -> Callable[[orm.Dict | None, Any], str | None]:
    """Return a port validator that parses the node as ``settings``.

    :param where: name of the port, which precedes the key in messages.
    """

    def validate(node: orm.Dict | None, _: Any) -> str | None:
        if node is None:
            return None
        try:
            settings.parse(node.get_dict(), where=where)
        except SettingsError as exception:
            return str(exception)
        return None

    return validate


def validate_cells(structures: dict[str, orm.StructureData] | None, _: Any) -> str | None:
    """Refuse an empty namespace, and cells that are not periodic."""
    if structures is not None and not structures:
        return 'cells: at least one is needed.'
    for label, structure in (structures or {}).items():
        if structure.pbc != (True, True, True):
            return f'cells.{label}: the cell must be periodic in three directions.'
    return None


def species_fault(structures: Mapping[str, orm.StructureData], known: Collection[str]) -> str | None:
    """Return an error message about the first cell with an element other than ``known``, or None."""
    for label, structure in structures.items():
        if not structure.get_symbols_set() <= set(known):
            return (
                f'cells.{label}: only {" and ".join(known)} is supported by the model, '
                f'this cell holds {structure.get_formula()}.'
            )
    return None


def validate_aluminium(structures: dict[str, orm.StructureData] | None, ports: Any) -> str | None:
    """Refuse cells that no campaign can label: an empty namespace, cells that are not periodic, other elements."""
    return validate_cells(structures, ports) or species_fault(structures or {}, CAMPAIGN_ELEMENTS)


def validate_shards(shards: dict[str, orm.Data] | None, _: Any) -> str | None:
    """Refuse a dataset without shards."""
    return 'shards: at least one is needed.' if shards is not None and not shards else None


def validate_positive(node: orm.Int | None, _: Any) -> str | None:
    """Refuse counts below one."""
    return None if node is None or node.value > 0 else f'{node.value} is not allowed: at least 1 is needed.'


def validate_property(node: orm.Str | None, _: Any) -> str | None:
    """Refuse an unknown property."""
    from aiida_anial.properties.registry import check_properties

    try:
        check_properties([node.value] if node is not None else [])
    except SettingsError as exception:
        return str(exception)
    return None
