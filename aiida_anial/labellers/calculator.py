"""Labels by any calculator of ASE, named by module and class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.labellers.potentials import PotentialLabeller
from aiida_anial.potential.source import CalculatorSettings

__all__ = ('LABELLERS', 'CalculatorLabeller')


class CalculatorLabeller(PotentialLabeller):
    """Label by ``label.calculator``, such as ``{module: ase.calculators.lj, class: LennardJones, arguments: {}}``."""

    name = 'calculator'

    def check(self, label: LabellerSettings) -> None:
        """Validate ``label.calculator``; whether the class is there, the machine of the job decides."""
        CalculatorSettings.parse(label.own, where='label.calculator')

    def identity(self, label: LabellerSettings) -> dict[str, Any]:
        """Return the calculator by its name."""
        return CalculatorSettings.parse(label.own).to_dict()

    def source(self, label: LabellerSettings) -> dict[str, Any]:
        """Return the calculator by its name."""
        return {'kind': self.name, 'calculator': self.identity(label)}

    def read_settings(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the calculator and of the job."""
        return {'calculator': inputs['labeller']['calculator'], **super().read_settings(inputs)}


LABELLERS = (CalculatorLabeller(),)
