"""Which potential a job evaluates."""

from __future__ import annotations

import importlib
from typing import Any, Literal, Self

from ase.calculators.calculator import BaseCalculator, FileIOCalculator
from ase.calculators.genericfileio import GenericFileIOCalculator
from pydantic import ConfigDict, Field, model_validator

from aiida_anial.common.errors import AnialError, SettingsError, one_line
from aiida_anial.common.settings import Settings

__all__ = ('CalculatorSettings', 'PotentialSource', 'make_calculator')


class CalculatorSettings(Settings):
    """A calculator of ASE by its name, such as ``ase.calculators.lj``, ``LennardJones``, ``{epsilon: 0.1}``.

    :param module: that the machine of the job can import.
    :param class: of the calculator, in that module.
    :param arguments: keyword arguments of the class.
    """

    model_config = ConfigDict(**Settings.model_config, serialize_by_alias=True)

    module: str = Field(pattern=r'^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$')
    class_: str = Field(alias='class', pattern=r'^[A-Za-z_]\w*$')
    arguments: dict[str, Any] = Field(default_factory=dict)


class PotentialSource(Settings):
    """The potential that a job evaluates.

    :param kind: ``emt`` (ASE's effective medium theory), ``eam`` (a LAMMPS file beside ``input.json``), ``ensemble`` (a
        file of networks there), or ``calculator``.
    :param calculator: for that kind, and for no other.
    """

    kind: Literal['emt', 'eam', 'ensemble', 'calculator']
    calculator: CalculatorSettings | None = None

    @model_validator(mode='after')
    def _check(self) -> Self:
        if (self.kind == 'calculator') != (self.calculator is not None):
            raise ValueError('calculator: it is given for the kind calculator, and for no other')
        return self


def make_calculator(settings: CalculatorSettings) -> BaseCalculator:
    """Return a calculator of ASE.

    A calculator that runs a command is refused: its arguments would be a way to run any command.

    :raises SettingsError: if the module or the class is not there, or the class is no such calculator.
    :raises AnialError: if it does not take these arguments.
    """
    try:
        found = getattr(importlib.import_module(settings.module), settings.class_)
    except (ImportError, AttributeError) as exception:
        raise SettingsError(one_line(f'calculator.module: {exception}.')) from exception
    name = f'{settings.module}.{settings.class_}'
    if not (isinstance(found, type) and issubclass(found, BaseCalculator)):
        raise SettingsError(f'calculator.class: {name} is not a calculator of ASE.')
    if issubclass(found, FileIOCalculator | GenericFileIOCalculator):
        raise SettingsError(f'calculator.class: {name} runs a command; only calculators within Python are allowed.')
    if 'command' in settings.arguments:
        raise SettingsError('calculator.arguments.command: no command is run; leave it out.')
    try:
        calculator: BaseCalculator = found(**settings.arguments)
    except Exception as exception:  # whatever the class raises
        raise AnialError(one_line(f'calculator.arguments: {name} refuses them: {exception}.')) from exception
    return calculator
