"""Potentials of the embedded-atom method, from LAMMPS files."""

from __future__ import annotations

from pathlib import Path

from ase.calculators.eam import EAM

from aiida_anial.common.errors import FileFormatError

__all__ = ('EAM_SUFFIXES', 'read_eam')

EAM_SUFFIXES = ('.eam.fs', '.eam.alloy')


def read_eam(path: Path) -> EAM:
    """Return a LAMMPS file of the style ``eam/fs`` or ``eam/alloy`` as a calculator of ASE.

    :raises FileFormatError: if it is not one with aluminium.
    """
    if not path.name.endswith(EAM_SUFFIXES):
        raise FileFormatError(f'{path}: the name of an EAM file must end in {" or ".join(EAM_SUFFIXES)}.')
    try:
        calculator = EAM(potential=str(path), form=path.suffix[1:])
    except Exception as exception:  # the reader raises whatever its parts do
        problem = f'{type(exception).__name__}: {exception}'
        raise FileFormatError(f'{path}: not a LAMMPS EAM file ({problem}).') from exception
    if 'Al' not in calculator.elements:
        raise FileFormatError(f'{path}: has no aluminium, only {", ".join(calculator.elements)}.')
    return calculator
