"""All properties in the order of the benchmark: their relations, their settings, and how to compute them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from ase.calculators.calculator import Calculator
from pydantic import create_model

from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import Settings
from aiida_anial.properties.cold_curves import ColdCurves
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.elastic import ElasticConstants
from aiida_anial.properties.lattice import Lattice
from aiida_anial.properties.melt import Melt
from aiida_anial.properties.panels import Panel
from aiida_anial.properties.paths import BainPath, TrigonalPath
from aiida_anial.properties.phonons import Phonons
from aiida_anial.properties.point_defects import Dumbbell, Vacancy
from aiida_anial.properties.pressure import PressureVolume
from aiida_anial.properties.property import Column, Property
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.shock_waves import ShockWaves
from aiida_anial.properties.stacking_faults import SlipPath, TwinPath
from aiida_anial.properties.surfaces import Surfaces

__all__ = (
    'PROPERTIES',
    'BenchmarkSettings',
    'all_provided',
    'benchmark_set',
    'check_properties',
    'chosen_properties',
    'figures',
    'keyed_columns',
    'provided',
    'required',
    'run_properties',
    'with_requirements',
)

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
        Melt,
        ShockWaves,
    )
}
"""Properties by name."""


def with_requirements(names: Iterable[str]) -> list[str]:
    """Return properties with all that they require, each after its requirements, otherwise in the given order."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered |= dict.fromkeys(with_requirements(PROPERTIES[name].requires))
        ordered[name] = None
    return list(ordered)


def required(name: str) -> list[str]:
    """Return the names of the values that a property requires."""
    return [column.provides for other in PROPERTIES[name].requires for column in provided(other)]


def provided(name: str) -> list[Column]:
    """Return the quantities of a property that others require."""
    return [column for column in PROPERTIES[name].columns if column.provides]


def all_provided() -> dict[str, Column]:
    """Return all quantities that properties require, by the names under which they require them."""
    return {column.provides: column for name in PROPERTIES for column in provided(name)}


def keyed_columns() -> Iterator[tuple[str, Column]]:
    """Yield the quantities in records, with the names of their properties; a key may come more than once."""
    for name, one in PROPERTIES.items():
        yield from ((name, column) for column in one.columns if column.key)


def figures() -> Mapping[str, list[tuple[str, Panel]]]:
    """Return the panels of each figure, with the names of their properties."""
    found: dict[str, list[tuple[str, Panel]]] = {}
    for name, one in PROPERTIES.items():
        for panel in one.panels:
            found.setdefault(panel.figure, []).append((name, panel))
    return found


class _SettingsByProperty(Settings):
    """Settings by property; the defaults are those of the full benchmark."""

    def for_dft(self) -> Self:
        """Return the settings that DFT uses instead."""
        return self.model_copy(update={name: one.for_dft(getattr(self, name)) for name, one in PROPERTIES.items()})

    def part(self, name: str) -> dict[str, Any]:
        """Return only the settings on which the property ``name`` depends; caching compares them."""
        return {key: getattr(self, key).to_dict() for key in with_requirements([name])}


if TYPE_CHECKING:

    class BenchmarkSettings(_SettingsByProperty):
        """For type checkers, which cannot see the fields made from the properties."""

else:
    BenchmarkSettings = create_model(
        'BenchmarkSettings',
        __base__=_SettingsByProperty,
        __module__=__name__,
        __doc__=_SettingsByProperty.__doc__,
        **{name: (type(one.defaults), one.defaults) for name, one in PROPERTIES.items()},
    )


def benchmark_set(*, quick: bool) -> tuple[tuple[str, ...], BenchmarkSettings]:
    """Return the names of the properties of the full set, or of the quick one, and their settings.

    The quick set takes seconds, and monitors active learning. Properties from dynamics are in neither, but have quick
    settings, too.
    """
    static = [name for name, one in PROPERTIES.items() if not one.is_dynamic]
    if not quick:
        return tuple(static), BenchmarkSettings()
    chosen = {name: one.quick for name, one in PROPERTIES.items() if one.quick is not None}
    return tuple(name for name in static if name in chosen), BenchmarkSettings().model_copy(update=chosen)


def chosen_properties(text: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return the properties in the comma-separated ``text``, or ``names`` if it is None.

    :raises SettingsError: if a property does not exist.
    """
    if text is None:
        return tuple(names)
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(',')))
    check_properties(chosen)
    return chosen


def check_properties(names: Sequence[str]) -> None:
    """Refuse unknown properties.

    :raises SettingsError: one sentence that names the first one.
    """
    for name in names:
        if name not in PROPERTIES:
            raise SettingsError(f'properties: there is no {name!r}; known are {", ".join(PROPERTIES)}.')


def run_properties(
    names: Iterable[str],
    settings: BenchmarkSettings,
    calculator: Calculator,
    *,
    runner: DynamicsRunner | None = None,
) -> dict[str, PropertyResult]:
    """Compute properties with ``calculator``, after those that they require, and return the results by name.

    :param names: names of the properties.
    :param settings: settings of all properties.
    :param runner: reports the progress, and runs dynamics; None: silently, and without checkpoints.
    :raises DynamicsInterrupted: if ``runner`` was asked to stop.
    :raises AnialError: if a property has no result; one sentence says why.
    """
    chosen = list(dict.fromkeys(names))
    runner = runner or DynamicsRunner()
    results: dict[str, PropertyResult] = {}
    values: dict[str, float] = {}
    for name in with_requirements(chosen):
        one = PROPERTIES[name](getattr(settings, name))
        results[name] = one.measure({key: values[key] for key in required(name)}, calculator, runner)
        values |= {column.provides: results[name].quantities[column.quantity].value for column in provided(name)}
    return {name: results[name] for name in chosen}
