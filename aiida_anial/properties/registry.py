"""All properties, in the order of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida_anial.properties.cold_curves import ColdCurves
from aiida_anial.properties.elastic import ElasticConstants
from aiida_anial.properties.lattice import Lattice
from aiida_anial.properties.panels import Panel
from aiida_anial.properties.paths import BainPath, TrigonalPath
from aiida_anial.properties.phonons import Phonons
from aiida_anial.properties.point_defects import Dumbbell, Vacancy
from aiida_anial.properties.pressure import PressureVolume
from aiida_anial.properties.property import Column, Property
from aiida_anial.properties.stacking_faults import SlipPath, TwinPath
from aiida_anial.properties.surfaces import Surfaces

__all__ = ('PROPERTIES', 'all_provided', 'figures', 'keyed_columns', 'provided', 'required', 'with_requirements')

PROPERTIES: dict[str, type[Property[Any]]] = {
    one.name: one
    for one in (
        Lattice,
        ColdCurves,
        PressureVolume,
        ElasticConstants,
        BainPath,
        TrigonalPath,
        SlipPath,
        TwinPath,
        Vacancy,
        Dumbbell,
        Surfaces,
        Phonons,
    )
}
"""Properties by name."""


def with_requirements(names: Iterable[str]) -> list[str]:
    """Return properties and all that they start from, each after what it requires, otherwise in the given order."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered |= dict.fromkeys(with_requirements(PROPERTIES[name].requires))
        ordered[name] = None
    return list(ordered)


def required(name: str) -> list[str]:
    """Return the names of the numbers that a property starts from."""
    return [column.provides for other in PROPERTIES[name].requires for column in provided(other)]


def provided(name: str) -> list[Column]:
    """Return the quantities of a property that others start from."""
    return [column for column in PROPERTIES[name].columns if column.provides]


def all_provided() -> dict[str, Column]:
    """Return the quantities that any property starts from, by what these call them."""
    return {column.provides: column for name in PROPERTIES for column in provided(name)}


def keyed_columns() -> Iterator[tuple[str, Column]]:
    """Give the quantities that records have, with the name of their property; a key may come more than once."""
    for name, one in PROPERTIES.items():
        yield from ((name, column) for column in one.columns if column.key)


def figures() -> Mapping[str, list[tuple[str, Panel]]]:
    """Return the panels of each figure, with the names of their properties."""
    found: dict[str, list[tuple[str, Panel]]] = {}
    for name, one in PROPERTIES.items():
        for panel in one.panels:
            found.setdefault(panel.figure, []).append((name, panel))
    return found
