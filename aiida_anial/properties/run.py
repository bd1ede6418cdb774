"""Benchmarks a calculator: one property, or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ase.calculators.calculator import Calculator

from aiida_anial.properties.evaluator import evaluate_all
from aiida_anial.properties.lattice import (
    analyse_lattice,
    fitted_lattice_constant,
    lattice_tasks,
    relaxed_lattice_constant,
)
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.registry import make_property
from aiida_anial.properties.settings import LATTICE, BenchmarkSettings

__all__ = ('run_properties',)


def run_properties(
    names: Iterable[str],
    settings: BenchmarkSettings,
    calculator: Calculator,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, PropertyResult]:
    """Return what ``calculator`` has of some properties, by name.

    They start from the minimum of its own energy, not from that of a fit: the curve of a network has ripples, and
    elastic constants beside the minimum of the ripple would be those of a crystal under stress.

    :param report: is given a line on each property.
    :raises AnialError: if nothing follows for a property, in one sentence.
    """
    evaluations = evaluate_all(lattice_tasks(settings.lattice), calculator)
    lattice_constant = relaxed_lattice_constant(calculator, fitted_lattice_constant(evaluations))
    report(f'lattice: {lattice_constant:.4f} angstrom')
    results = {}
    for name in dict.fromkeys(names):
        if name == LATTICE:
            results[name] = analyse_lattice(lattice_constant, evaluations)
            continue
        one = make_property(name, settings)
        tasks = one.tasks(lattice_constant)
        report(f'{name}: {len(tasks)} structures')
        results[name] = one.analyse(lattice_constant, evaluate_all(tasks, calculator))
    return results
