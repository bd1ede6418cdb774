"""Potentials that can be benchmarked, from wherever they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ase.calculators.calculator import Calculator

from aiida_anial.common.errors import FileFormatError
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.eam import EAM_SUFFIXES, read_eam
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings

__all__ = ('EMT_NAME', 'NamedCalculator', 'open_potential')

EMT_NAME = 'emt'


@dataclass(frozen=True, eq=False)
class NamedCalculator:
    """What evaluates a potential, with a name.

    :param name: for tables; that of its file.
    :param kind: ``ensemble``, ``eam`` or ``emt``.
    :param calculator: what evaluates it.
    """

    name: str
    kind: str
    calculator: Calculator


def open_potential(path: Path, *, threads: int = 1) -> NamedCalculator:
    """Return the potential at ``path``: an ensemble (safetensors), a NeuroChem folder, an EAM file, or ``emt``.

    Ensembles are evaluated in double precision: elastic constants are small differences.

    :param threads: of the engine of an ensemble.
    :raises FileFormatError: if it is none of these.
    """
    settings = EngineSettings(dtype='float64', threads=threads)
    if path.is_dir():
        return NamedCalculator(path.name, 'ensemble', AnialCalculator(read_neurochem(path), settings=settings))
    if path.name.endswith('.safetensors'):
        return NamedCalculator(path.stem, 'ensemble', AnialCalculator(read_potential(path), settings=settings))
    if path.name.endswith(EAM_SUFFIXES):
        return NamedCalculator(path.name, 'eam', read_eam(path))
    if str(path) == EMT_NAME:
        from ase.calculators.emt import EMT

        return NamedCalculator(EMT_NAME, 'emt', EMT())
    known = f'a .safetensors file, a NeuroChem folder, a file that ends in {" or ".join(EAM_SUFFIXES)}, or {EMT_NAME}'
    raise FileFormatError(f'{path}: not a potential: give {known}.')
