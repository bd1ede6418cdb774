"""One configuration as a file has it, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

__all__ = ('MIN_DISTANCE', 'Record')

# Closer than this, in angstrom, no two nuclei of a label come, not even in a shock.
MIN_DISTANCE = 0.5
_NUMBER = 13

# Far beyond what anybody labels. Atoms that are all in one place have as many pairs as their number squared.
_MAX_ATOMS = 2000
_MAX_LENGTH = 1e6
_MIN_VOLUME_PER_ATOM = 0.01


@dataclass(frozen=True, eq=False)
class Record:
    """A configuration in the units of this package, unchecked.

    :param where: its name in messages, such as ``configuration 3``.
    :param numbers: ``[n]`` atomic numbers.
    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` in angstrom.
    :param is_periodic: whether it is in all three directions.
    :param energy: in eV; None where the file has none.
    :param forces: ``[n, 3]`` in eV/angstrom; None where the file has none.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension; None where the file has none.
    :param columns: what else the file says about it.
    """

    where: str
    numbers: NDArray[np.integer]
    positions: NDArray[np.float64]
    lattice: NDArray[np.float64]
    is_periodic: bool
    energy: float | None
    forces: NDArray[np.float64] | None
    stress: NDArray[np.float64] | None
    columns: Mapping[str, Any]

    def fault(self) -> str | None:
        """Return why this is no label of a periodic cell of aluminium, or None."""
        return self._composition_fault() or self._number_fault() or self._cell_fault()

    def _composition_fault(self) -> str | None:
        n_atoms = len(self.numbers)
        if n_atoms == 0:
            return 'has no atoms'
        if n_atoms > _MAX_ATOMS:
            return f'has {n_atoms} atoms where {_MAX_ATOMS} are the most'
        others = sorted({int(number) for number in self.numbers[self.numbers != _NUMBER]})
        if others:
            number = others[0]
            name = chemical_symbols[number] if 0 < number < len(chemical_symbols) else f'atomic number {number}'
            return f'species: has {name} where only Al is known'
        if not self.is_periodic:
            return 'pbc: is not periodic in all three directions'
        return None

    def _number_fault(self) -> str | None:
        n_atoms = len(self.numbers)
        shapes = {'positions': (n_atoms, 3), 'lattice': (3, 3), 'energy': (), 'forces': (n_atoms, 3), 'stress': (3, 3)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is None:
                return f'has no {name}; a label needs energy, forces and stress'
            if np.shape(value) != shape:
                return f'{name}: has shape {np.shape(value)} where {shape} is needed'
            if not np.isfinite(value).all():
                return f'{name}: a value is not finite'
        for name in ('positions', 'lattice'):
            if np.abs(getattr(self, name)).max() > _MAX_LENGTH:
                return f'{name}: a value is beyond {_MAX_LENGTH:g} angstrom'
        return None

    def _cell_fault(self) -> str | None:
        # The heights of the cell are the volume over the areas of its faces.
        volume = float(np.linalg.det(self.lattice))
        if abs(volume) < 1e-3:
            return 'lattice: the cell has no volume'
        if volume < 0:
            return 'lattice: the cell is left-handed; swap two of its vectors'
        faces = np.linalg.norm(np.cross(self.lattice[[1, 2, 0]], self.lattice[[2, 0, 1]]), axis=1)
        height = volume / float(faces.max())
        if height < MIN_DISTANCE:
            return f'lattice: the cell is {height:.2g} angstrom thin'
        if volume / len(self.numbers) < _MIN_VOLUME_PER_ATOM:
            return f'lattice: an atom has no more than {volume / len(self.numbers):.2g} angstrom^3'
        return None
