"""Deformation paths at constant volume: the tetragonal (Bain) and the trigonal path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.settings import Range, Settings
from aiida_anial.properties.analysis import from_energies, relative_energies
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.property import Evaluation, PropertyResult, Task

__all__ = ('BainPath', 'BainSettings', 'ConstantVolumePath', 'TrigonalPath', 'TrigonalSettings', 'check_path_range')


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


_BAIN_CRYSTALS = {'bcc': 1.0, 'fcc': sqrt(2)}


class BainSettings(Settings):
    """Which part of the path is computed.

    :param range_c_over_a: of the body-centred tetragonal cell; it must hold 1, BCC, and sqrt 2, FCC.
    :param n_points: number of cells.
    """

    range_c_over_a: Range = (0.85, 1.6)
    n_points: Annotated[int, Field(ge=4)] = 16

    @model_validator(mode='after')
    def _check_range(self) -> Self:
        check_path_range('range_c_over_a', self.range_c_over_a, self.n_points, _BAIN_CRYSTALS)
        return self


class BainPath:
    """Energy above FCC against c/a of the body-centred tetragonal cell, at the volume of FCC."""

    def __init__(self, settings: BainSettings) -> None:
        self.settings = settings
        self._path = ConstantVolumePath(
            'bain', 'c_over_a', settings.range_c_over_a, settings.n_points, _BAIN_CRYSTALS, _tetragonal
        )

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells of one atom along the path."""
        return self._path.tasks(lattice_constant)

    def analyse(
        self,
        lattice_constant: float,  # noqa: ARG002 - the energies say it all
        evaluations: Mapping[str, Evaluation],
    ) -> PropertyResult:
        """Return the path, and BCC - FCC at constant volume."""
        return self._path.analyse(evaluations)


def _tetragonal(volume: float, c_over_a: float) -> Atoms:
    """Return the primitive body-centred tetragonal cell."""
    return replace(CRYSTALS['bcc'], c_over_a=c_over_a).atoms(volume)


_TRIGONAL_CRYSTALS = {'fcc': 1.0, 'sc': 0.5, 'bcc': 0.25}


class TrigonalSettings(Settings):
    """Which part of the path is computed.

    :param range_stretch_ratio: it must hold 0.25, BCC, 0.5, SC, and 1, FCC.
    :param n_points: number of cells.
    """

    range_stretch_ratio: Range = (0.2, 1.3)
    n_points: Annotated[int, Field(ge=4)] = 23

    @model_validator(mode='after')
    def _check_range(self) -> Self:
        check_path_range('range_stretch_ratio', self.range_stretch_ratio, self.n_points, _TRIGONAL_CRYSTALS)
        return self


class TrigonalPath:
    """Energy above FCC against the stretch along [111], at the volume of FCC.

    The stretch ratio is that of Smith et al., Nat. Commun. 12, 1257 (2021): the distance between {111} layers over that
    between neighbours within one, relative to FCC.
    """

    def __init__(self, settings: TrigonalSettings) -> None:
        self.settings = settings
        self._path = ConstantVolumePath(
            'trigonal',
            'stretch_ratio',
            settings.range_stretch_ratio,
            settings.n_points,
            _TRIGONAL_CRYSTALS,
            _rhombohedral,
        )

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells of one atom along the path."""
        return self._path.tasks(lattice_constant)

    def analyse(
        self,
        lattice_constant: float,  # noqa: ARG002 - the energies say it all
        evaluations: Mapping[str, Evaluation],
    ) -> PropertyResult:
        """Return the path, and SC - FCC and BCC - FCC at constant volume."""
        return self._path.analyse(evaluations)


def _rhombohedral(volume: float, stretch_ratio: float) -> Atoms:
    """Return the primitive cell of FCC, stretched by s^(2/3) along [111] and by s^(-1/3) across it."""
    atoms = CRYSTALS['fcc'].atoms(volume)
    along = np.full((3, 3), 1 / 3)
    across = np.eye(3) - along
    stretch = stretch_ratio ** (2 / 3) * along + stretch_ratio ** (-1 / 3) * across
    atoms.set_cell(atoms.cell[:] @ stretch, scale_atoms=True)
    return atoms
