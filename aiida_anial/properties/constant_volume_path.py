"""Paths that deform FCC at constant volume: what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_anial.properties.members import from_energies, relative_energies
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.task import Evaluation, Task

__all__ = ('ConstantVolumePath', 'check_path_range')


@dataclass(frozen=True)
class ConstantVolumePath:
    """Cells of one atom along a coordinate.

    :param name: of the path; the names of the tasks begin with it.
    :param coordinate: name of the coordinate, which has no unit.
    :param span: least and greatest value of the coordinate.
    :param n_points: number of cells.
    :param crystals: where on the coordinate crystals lie, by name; FCC is among them.
    :param cell: from the volume per atom in angstrom^3 and the coordinate to a cell of one atom.
    """

    name: str
    coordinate: str
    span: tuple[float, float]
    n_points: int
    crystals: Mapping[str, float]
    cell: Callable[[float, float], Atoms]

    @property
    def grid(self) -> NDArray[np.float64]:
        """Evenly spaced values of the coordinate, but that those next to the crystals are moved onto them."""
        grid = np.linspace(*self.span, self.n_points)
        for value in self.crystals.values():
            grid[np.argmin(np.abs(grid - value))] = value
        return grid

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells, in the volume of FCC at its lattice constant in angstrom."""
        volume = lattice_constant**3 / 4
        return {self._name(i): Task(self.cell(volume, float(x)), group=self.name) for i, x in enumerate(self.grid)}

    def analyse(self, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return the energy above FCC along the path, and that of the other crystals on it."""
        grid = self.grid
        found = [evaluations[self._name(index)] for index in range(len(grid))]
        on_path = {name: found[int(np.argmin(np.abs(grid - value)))] for name, value in self.crystals.items()}
        reference = on_path.pop('fcc')
        energies, disagreement = relative_energies(found, reference)
        quantities = {
            f'{name}_minus_fcc': from_energies([one, reference], lambda pair: 1e3 * (pair[0] - pair[1]), 'meV/atom')
            for name, one in on_path.items()
        }
        curves = {
            self.coordinate: grid,
            'energy_ev_per_atom': energies,
            'disagreement_ev_per_atom': disagreement,
        }
        return PropertyResult(quantities, curves)

    def _name(self, index: int) -> str:
        return f'{self.name}_{index:02d}'


def check_path_range(key: str, span: tuple[float, float], n_points: int, crystals: Mapping[str, float]) -> None:
    """Refuse a range that leaves out a crystal of the path, or points too far apart for two of them.

    :raises ValueError: a sentence that begins with ``key``.
    """
    values = sorted(crystals.values())
    if not 0 < span[0] <= values[0] or not values[-1] <= span[1]:
        raise ValueError(f'{key}: it must begin above 0 and hold {", ".join(f"{value:.4g}" for value in values)}')
    if (span[1] - span[0]) / (n_points - 1) > np.diff(values).min():
        raise ValueError(f'{key}: {n_points} points are too few for it')
