"""Potentials of any origin as ASE calculators: files of this package, NeuroChem folders, EAM files, ASE's own."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import Any, Literal, Self

import numpy as np
from ase.calculators.calculator import BaseCalculator, Calculator, FileIOCalculator
from ase.calculators.genericfileio import GenericFileIOCalculator
from pydantic import ConfigDict, Field, model_validator

from aiida_anial.common.errors import AnialError, FileFormatError, SettingsError, one_line
from aiida_anial.common.settings import Settings
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.packaged import find, names
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings

__all__ = (
    'EAM_SUFFIXES',
    'EMT_NAME',
    'CalculatorSettings',
    'NamedCalculator',
    'PotentialSource',
    'make_calculator',
    'open_potential',
    'read_eam',
)

EMT_NAME = 'emt'
EAM_SUFFIXES = ('.eam.fs', '.eam.alloy')

_LETTERS = frozenset(ascii_letters)

# A potential of one element with tables of 10,000 rows has half a megabyte.
_MAX_BYTES = 2**25


class CalculatorSettings(Settings):
    """An ASE calculator by name, such as ``ase.calculators.lj``, ``LennardJones``, ``{epsilon: 0.1}``.

    :param module: module that can be imported where the job runs.
    :param class: class of the calculator in that module.
    :param arguments: keyword arguments of the class.
    """

    model_config = ConfigDict(**Settings.model_config, serialize_by_alias=True)

    module: str = Field(pattern=r'^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$')
    class_: str = Field(alias='class', pattern=r'^[A-Za-z_]\w*$')
    arguments: dict[str, Any] = Field(default_factory=dict)


class PotentialSource(Settings):
    """The potential that a job evaluates.

    :param kind: ``emt`` (ASE's effective medium theory), ``eam`` (a LAMMPS file next to ``input.json``), ``ensemble``
        (the file of an ensemble, also there), or ``calculator``.
    :param calculator: required for the kind ``calculator``, not allowed for others.
    """

    kind: Literal['emt', 'eam', 'ensemble', 'calculator']
    calculator: CalculatorSettings | None = None

    @model_validator(mode='after')
    def _check(self) -> Self:
        if (self.kind == 'calculator') != (self.calculator is not None):
            raise ValueError('calculator: required for the kind calculator, and not allowed for others')
        return self


def make_calculator(settings: CalculatorSettings) -> BaseCalculator:
    """Return the calculator that ``settings`` describe.

    Calculators that run a command are refused, because their arguments could run any command.

    :raises SettingsError: if the module or the class does not exist, or the class is not an allowed calculator.
    :raises AnialError: if the class does not accept the arguments.
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
    except Exception as exception:  # classes raise exceptions of many kinds
        raise AnialError(one_line(f'calculator.arguments: {name} refuses them: {exception}.')) from exception
    return calculator


def read_eam(path: Path) -> Calculator:
    """Return the ASE calculator of a LAMMPS file of style ``eam/fs`` or ``eam/alloy``.

    :raises FileFormatError: if it is not such a file, is incomplete, or has no aluminium.
    """
    if not path.name.endswith(EAM_SUFFIXES):
        raise FileFormatError(one_line(f'{path}: the name of an EAM file must end in {" or ".join(EAM_SUFFIXES)}.'))
    if not path.is_file():
        raise FileFormatError(one_line(f'{path}: there is no such file.'))
    from ase.calculators.eam import EAM  # brings scipy

    try:
        elements = _checked_elements(path)
        calculator = EAM(potential=str(path), form=path.suffix[1:])
    except Exception as exception:  # the reader of ASE raises exceptions of many kinds
        problem = f'{type(exception).__name__}: {str(exception)[:200]}'
        raise FileFormatError(one_line(f'{path}: not a LAMMPS EAM file ({problem}).')) from exception
    if 'Al' not in elements:
        raise FileFormatError(one_line(f'{path}: has no aluminium, only {", ".join(elements)}.'))
    return calculator


def _checked_elements(path: Path) -> list[str]:
    """Return the elements of a file, after checking that it holds as many numbers as it declares.

    ASE allocates memory for the declared numbers before it reads them.

    :raises ValueError: if numbers are missing or not finite.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'{path.stat().st_size} bytes where at most {_MAX_BYTES} are allowed')
    # The first three lines are comments.
    words = ' '.join(path.read_text(encoding='utf-8').splitlines()[3:]).split()
    n_elements = int(words[0])
    elements = words[1 : n_elements + 1]
    n_rho, n_r = int(words[n_elements + 1]), int(words[n_elements + 3])
    if min(n_elements, n_rho, n_r) < 1:
        raise ValueError(f'{n_elements} elements and tables of {n_rho} and {n_r} rows')
    n_densities = n_elements if path.name.endswith('.fs') else 1
    n_tables = n_elements * (4 + n_rho + n_densities * n_r) + n_elements * (n_elements + 1) // 2 * n_r
    n_words = 1 + n_elements + 5 + n_tables
    if len(words) < n_words:
        raise ValueError(f'{len(words)} words where {n_words} are needed')
    # For each element, the name of its lattice follows mass and lattice constant; all else are numbers.
    numbers = np.array([word for word in words[n_elements + 1 : n_words] if word[0] not in _LETTERS], dtype=np.float64)
    if len(numbers) < n_words - 1 - 2 * n_elements or not np.isfinite(numbers).all():
        raise ValueError('a number is not finite')
    return elements


@dataclass(frozen=True, eq=False)
class NamedCalculator:
    """A potential with its name and its calculator.

    :param name: name in tables, that of its file.
    :param kind: ``ensemble``, ``eam`` or ``emt``.
    :param calculator: evaluates the potential.
    """

    name: str
    kind: str
    calculator: Calculator


def open_potential(path: Path, *, threads: int = 1) -> NamedCalculator:
    """Return a potential: an ensemble (safetensors), a NeuroChem folder, an EAM file, ``emt``, or one of the package.

    A file or folder of the name of a potential of the package comes before that potential.

    Ensembles are evaluated in double precision, because elastic constants are small differences.

    :param threads: CPU threads for an ensemble.
    :raises FileFormatError: if there is no such potential.
    """
    settings = EngineSettings(dtype='float64', threads=threads)
    found = find(str(path)) or path
    if found.is_dir():
        return NamedCalculator(path.name, 'ensemble', AnialCalculator(read_neurochem(found), settings=settings))
    if found.name.endswith('.safetensors'):
        return NamedCalculator(path.stem, 'ensemble', AnialCalculator(read_potential(found), settings=settings))
    if path.name.endswith(EAM_SUFFIXES):
        return NamedCalculator(path.name, 'eam', read_eam(path))
    if str(path) == EMT_NAME:
        from ase.calculators.emt import EMT

        return NamedCalculator(EMT_NAME, 'emt', EMT())
    named = ', '.join((EMT_NAME, *names()))
    known = (
        f'a .safetensors file, a NeuroChem folder, a file that ends in {" or ".join(EAM_SUFFIXES)}, or one of {named}'
    )
    raise FileFormatError(f'{path}: not a potential: give {known}.')
