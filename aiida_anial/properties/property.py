"""The interface of properties: settings, requirements, structures, analysis, and how results are shown."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from ase.calculators.calculator import Calculator

from aiida_anial.common.settings import Settings
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.evaluation import Evaluation, Task, evaluate_all
from aiida_anial.properties.panels import Panel
from aiida_anial.properties.quantity import PropertyResult

__all__ = ('Column', 'Property', 'Requirements')

S = TypeVar('S', bound=Settings)

Requirements = Mapping[str, float]
"""Values that a property requires from others, by ``Column.provides`` and in the unit of that column."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """Description of a quantity for the documentation, tables and queries.

    :param quantity: name of the quantity; a capital letter is a placeholder, such as X for a crystal in
        ``X_minus_fcc``.
    :param unit: unit, such as ``GPa``; ``1`` if there is none.
    :param help: meaning, without the unit.
    :param key: key in records of ``aiida-anial query benchmarks``, which ends in the unit; empty if they lack it.
    :param heading: heading in the table for terminals; empty if the table lacks it.
    :param digits: decimals in that table.
    :param in_status: whether ``aiida-anial status`` shows it for the ensembles of a campaign.
    :param provides: name by which other properties require it, and of its link in the graph; empty if none does.
    :param is_explained: whether its meaning is printed below tables, because its name does not tell it from others.
    """

    quantity: str
    unit: str
    help: str
    key: str = ''
    heading: str = ''
    digits: int = 0
    in_status: bool = False
    provides: str = ''
    is_explained: bool = False

    def describes(self, name: str) -> bool:
        """Return whether this column describes the quantity ``name``."""
        return re.fullmatch(re.sub('[A-Z]', r'\\w+', self.quantity), name) is not None


class Property(ABC, Generic[S]):
    """A property of FCC aluminium or of its competitors.

    Structures and analysis depend only on settings, requirements and evaluations, so that they can run on different
    machines, days apart, with DFT in between. Tables, figures, queries, work chains and documentation use only what a
    property declares here.
    """

    name: ClassVar[str]
    """Key of its settings and of its results."""

    defaults: ClassVar[Settings]
    """Settings in the full benchmark."""

    quick: ClassVar[Settings | None] = None
    """Settings in the quick set, which takes seconds in all; None if the property is not in it.

    Those of a property from dynamics take minutes.
    """

    is_dynamic: ClassVar[bool] = False
    """Whether it follows from dynamics: then it is computed only if it is named, and by potentials only."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Names of properties that must be computed first, by the same calculator."""

    columns: ClassVar[tuple[Column, ...]]
    """Descriptions of its quantities. ``Q_error`` is the difference of quantity ``Q`` from that of a reference."""

    curves: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Names of its curves, with placeholders as in ``Column.quantity``, and their meanings."""

    panels: ClassVar[tuple[Panel, ...]] = ()
    """Panels that show it in figures."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @classmethod
    def for_dft(cls, settings: S) -> S:
        """Return the settings that DFT uses instead of ``settings``."""
        return settings

    @abstractmethod
    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return the structures to evaluate, by name."""

    @abstractmethod
    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return the result from the evaluations of all tasks.

        :raises AnialError: if there is no result; one sentence says why.
        """

    def measure(self, requirements: Requirements, calculator: Calculator, runner: DynamicsRunner) -> PropertyResult:
        """Compute the property with a calculator.

        Properties override this if a calculator allows more than evaluations of given structures.

        :param runner: reports the progress, and runs dynamics.
        :raises AnialError: if there is no result; one sentence says why.
        """
        tasks = self.tasks(requirements)
        runner.report(f'{self.name}: {len(tasks)} structures')
        return self.analyse(requirements, evaluate_all(tasks, calculator))

    @classmethod
    def column(cls, quantity: str) -> Column | None:
        """Return the description of a quantity, preferring its exact name to placeholders; None if there is none."""
        found = [one for one in cls.columns if one.describes(quantity)]
        return min(found, key=lambda one: one.quantity != quantity, default=None)
