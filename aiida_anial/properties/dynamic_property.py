"""The interface of properties that follow from dynamics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from ase.calculators.calculator import Calculator

from aiida_anial.common.errors import AnialError
from aiida_anial.common.settings import Settings
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.property import Property, Requirements
from aiida_anial.properties.quantity import PropertyResult

__all__ = ('DynamicProperty',)

S = TypeVar('S', bound=Settings)


class DynamicProperty(Property[S]):
    """A property from dynamics with a potential, which takes minutes to hours; DFT has none of these."""

    is_dynamic: ClassVar[bool] = True

    @abstractmethod
    def run(self, requirements: Requirements, calculator: Calculator, runner: DynamicsRunner) -> PropertyResult:
        """Run the dynamics and return the result.

        :param calculator: of single precision, if it is an ensemble's.
        :param runner: runs the dynamics, and keeps what is done if the time is over.
        :raises AnialError: if there is no result; one sentence says why.
        """

    def measure(self, requirements: Requirements, calculator: Calculator, runner: DynamicsRunner) -> PropertyResult:
        """Run the dynamics and return the result; in single precision, in which it takes half the time."""
        fast = calculator.in_single_precision() if isinstance(calculator, AnialCalculator) else calculator
        return self.run(requirements, fast, runner)

    def tasks(self, requirements: Requirements) -> dict[str, Task]:  # noqa: ARG002
        """Return nothing: dynamics makes its structures as it goes."""
        return {}

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Refuse, for there is nothing to analyse.

        :raises AnialError: always.
        """
        raise AnialError(f'{self.name}: it follows from dynamics, which only potentials run.')
