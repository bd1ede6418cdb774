"""What a property is: its settings, what it starts from, structures, analysis, and how its numbers are shown."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from ase.calculators.calculator import Calculator

from aiida_anial.common.settings import Settings
from aiida_anial.properties.evaluation import Evaluation, Task, evaluate_all
from aiida_anial.properties.panels import Panel
from aiida_anial.properties.quantity import PropertyResult

__all__ = ('Column', 'Property', 'Requirements')

S = TypeVar('S', bound=Settings)

Requirements = Mapping[str, float]
"""Numbers that a property starts from, by the ``Column.provides`` of the quantities that they are, in their units."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A quantity as the reference, the tables of the command line and the queries describe it.

    :param quantity: its name; a capital letter stands for what differs between quantities of one kind, such as X in
        ``X_minus_fcc`` for a crystal.
    :param unit: such as ``GPa``; ``1`` where there is none.
    :param help: what it is, without its unit.
    :param key: by which records of ``aiida-anial query benchmarks`` have it, ending in its unit; empty: not at all.
    :param heading: of the table for a terminal; empty where the table leaves the column out.
    :param digits: behind the point, in that table.
    :param in_status: whether ``aiida-anial status`` shows it for the ensembles of a campaign.
    :param provides: the name by which other properties require it, and that of its link in the graph; empty where none
        starts from it.
    """

    quantity: str
    unit: str
    help: str
    key: str = ''
    heading: str = ''
    digits: int = 0
    in_status: bool = False
    provides: str = ''

    def describes(self, name: str) -> bool:
        """Return whether this is the column of the quantity ``name``."""
        return re.fullmatch(re.sub('[A-Z]', r'\\w+', self.quantity), name) is not None


class Property(ABC, Generic[S]):
    """A property of FCC aluminium or of its competitors.

    Structures and analysis are functions of the settings, the requirements and the evaluations alone, so that they can
    run on different machines, days apart, with DFT in between. What is declared here is all that tables, figures,
    queries, work chains and pages know of a property.
    """

    name: ClassVar[str]
    """Key of its settings and of its results."""

    defaults: ClassVar[Settings]
    """Its settings in the full benchmark."""

    quick: ClassVar[Settings | None] = None
    """Its settings in the quick set, which takes seconds in all; None: it is not in the set."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Properties that it starts from: they are computed before it, by the same engine."""

    columns: ClassVar[tuple[Column, ...]]
    """Its quantities. ``Q_error`` is the difference of the quantity ``Q`` from that of a reference."""

    curves: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Names of its curves, with capital letters as in ``Column.quantity``, and what they are."""

    panels: ClassVar[tuple[Panel, ...]] = ()
    """What the figures show of it."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @classmethod
    def for_dft(cls, settings: S) -> S:
        """Return what DFT uses in place of ``settings``."""
        return settings

    @abstractmethod
    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return the structures to evaluate, by name."""

    @abstractmethod
    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return what follows from the evaluations of all tasks.

        :raises AnialError: if nothing follows, in one sentence.
        """

    def measure(
        self, requirements: Requirements, calculator: Calculator, report: Callable[[str], None]
    ) -> PropertyResult:
        """Return what a calculator at hand has of the property.

        A property overrides this where a calculator can say more than the evaluations of single structures do.

        :param report: is given a line on what is about to be done.
        :raises AnialError: if nothing follows, in one sentence.
        """
        tasks = self.tasks(requirements)
        report(f'{self.name}: {len(tasks)} structures')
        return self.analyse(requirements, evaluate_all(tasks, calculator))

    @classmethod
    def column(cls, quantity: str) -> Column | None:
        """Return what is said about a quantity, by its own name before a general one; None where nothing is."""
        found = [one for one in cls.columns if one.describes(quantity)]
        return min(found, key=lambda one: one.quantity != quantity, default=None)
