"""Potentials of the embedded-atom method, from LAMMPS files."""

from __future__ import annotations

from pathlib import Path
from string import ascii_letters

import numpy as np
from ase.calculators.eam import EAM

from aiida_anial.common.errors import FileFormatError, one_line

__all__ = ('EAM_SUFFIXES', 'read_eam')

EAM_SUFFIXES = ('.eam.fs', '.eam.alloy')

_LETTERS = frozenset(ascii_letters)


# A potential of one element with tables of 10,000 rows has half a megabyte.
_MAX_BYTES = 2**25


def read_eam(path: Path) -> EAM:
    """Return a LAMMPS file of the style ``eam/fs`` or ``eam/alloy`` as a calculator of ASE.

    :raises FileFormatError: if it is not one with aluminium, or cut short.
    """
    if not path.name.endswith(EAM_SUFFIXES):
        raise FileFormatError(one_line(f'{path}: the name of an EAM file must end in {" or ".join(EAM_SUFFIXES)}.'))
    if not path.is_file():
        raise FileFormatError(one_line(f'{path}: there is no such file.'))
    try:
        elements = _checked_elements(path)
        calculator = EAM(potential=str(path), form=path.suffix[1:])
    except Exception as exception:  # the reader raises whatever its parts do
        problem = f'{type(exception).__name__}: {str(exception)[:200]}'
        raise FileFormatError(one_line(f'{path}: not a LAMMPS EAM file ({problem}).')) from exception
    if 'Al' not in elements:
        raise FileFormatError(one_line(f'{path}: has no aluminium, only {", ".join(elements)}.'))
    return calculator


def _checked_elements(path: Path) -> list[str]:
    """Return the elements of a file that holds as many numbers as it says, for which ASE makes room at once.

    :raises ValueError: if it does not, or one of them is not finite.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'{path.stat().st_size} bytes where {_MAX_BYTES} are the most')
    # Three lines of comments.
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
    # Behind mass and lattice constant stands the name of the lattice.
    numbers = np.array([word for word in words[n_elements + 1 : n_words] if word[0] not in _LETTERS], dtype=np.float64)
    if len(numbers) < n_words - 1 - 2 * n_elements or not np.isfinite(numbers).all():
        raise ValueError('a number is not finite')
    return elements
