"""Properties as an ASE calculator has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ase.calculators.calculator import Calculator

from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import PROPERTIES, provided, required, with_requirements
from aiida_anial.properties.settings import BenchmarkSettings

__all__ = ('run_properties',)


def run_properties(
    names: Iterable[str],
    settings: BenchmarkSettings,
    calculator: Calculator,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, PropertyResult]:
    """Return what ``calculator`` has of some properties, by name; what they start from is computed first.

    :param report: is given a line on each property.
    :raises AnialError: if nothing follows for a property, in one sentence.
    """
    chosen = list(dict.fromkeys(names))
    results: dict[str, PropertyResult] = {}
    values: dict[str, float] = {}
    for name in with_requirements(chosen):
        one = PROPERTIES[name](getattr(settings, name))
        results[name] = one.measure({key: values[key] for key in required(name)}, calculator, report)
        values |= {column.provides: results[name].quantities[column.quantity].value for column in provided(name)}
    return {name: results[name] for name in chosen}
