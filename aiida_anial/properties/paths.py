"""Deformation paths at constant volume: the tetragonal (Bain) and the trigonal path."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from operator import itemgetter
from typing import Annotated, ClassVar, Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.settings import Range, Settings
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, relative_energies

__all__ = ('BainPath', 'BainSettings', 'ConstantVolumePath', 'TrigonalPath', 'TrigonalSettings')


_BAIN_CRYSTALS = {'bcc': 1.0, 'fcc': sqrt(2)}
_TRIGONAL_CRYSTALS = {'fcc': 1.0, 'sc': 0.5, 'bcc': 0.25}


def _check_range(key: str, span: tuple[float, float], n_points: int, crystals: Mapping[str, float]) -> None:
    """Refuse a range that does not contain all crystals of the path, or points too far apart to separate them.

    :raises ValueError: a sentence that begins with ``key``.
    """
    values = sorted(crystals.values())
    if not 0 < span[0] <= values[0] or not values[-1] <= span[1]:
        raise ValueError(f'{key}: it must begin above 0 and contain {", ".join(f"{value:.4g}" for value in values)}')
    if (span[1] - span[0]) / (n_points - 1) > np.diff(values).min():
        raise ValueError(f'{key}: {n_points} points are too few for it')


class BainSettings(Settings):
    """Range of the path.

    :param range_c_over_a: c/a of the body-centred tetragonal cell; must contain 1 (BCC) and sqrt 2 (FCC).
    :param n_points: number of cells.
    """

    range_c_over_a: Range = (0.85, 1.6)
    n_points: Annotated[int, Field(ge=4)] = 16

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest value of the coordinate."""
        return self.range_c_over_a

    @model_validator(mode='after')
    def _check(self) -> Self:
        _check_range('range_c_over_a', self.range_c_over_a, self.n_points, _BAIN_CRYSTALS)
        return self


class TrigonalSettings(Settings):
    """Range of the path.

    :param range_stretch_ratio: must contain 0.25 (BCC), 0.5 (SC) and 1 (FCC).
    :param n_points: number of cells.
    """

    range_stretch_ratio: Range = (0.2, 1.3)
    n_points: Annotated[int, Field(ge=4)] = 23

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest value of the coordinate."""
        return self.range_stretch_ratio

    @model_validator(mode='after')
    def _check(self) -> Self:
        _check_range('range_stretch_ratio', self.range_stretch_ratio, self.n_points, _TRIGONAL_CRYSTALS)
        return self


def _columns(*crystals: str) -> tuple[Column, ...]:
    return (
        *(
            Column(
                quantity=f'{name}_minus_fcc',
                unit='meV/atom',
                help=f'Energy of {name.upper()} above FCC, at the volume of FCC',
            )
            for name in crystals
        ),
        Column(quantity='rmse', unit='meV/atom', help='Deviation of the path from that of the reference'),
    )


def _curves(coordinate: str, meaning: str) -> tuple[tuple[str, str], ...]:
    return (
        (coordinate, meaning),
        ('energy_ev_per_atom', 'energy above FCC'),
        ('disagreement_ev_per_atom', 'disagreement of the members on that energy'),
    )


def _panel(title: str, coordinate: str, label: str, crystals: Mapping[str, float]) -> Curve:
    return Curve(
        figure='paths',
        title=title,
        x=coordinate,
        y='energy_ev_per_atom',
        x_label=label,
        y_label='energy above FCC (meV/atom)',
        disagreement='disagreement_ev_per_atom',
        scale=1e3,
        ticks={value: CRYSTALS[name].label for name, value in sorted(crystals.items(), key=itemgetter(1))},
        rmse='rmse',
    )


class ConstantVolumePath(Property[BainSettings | TrigonalSettings]):
    """Energy above FCC of cells of one atom along a coordinate, at the volume of FCC.

    The values of the coordinate are evenly spaced, except that those nearest to the crystals are moved onto them.
    """

    coordinate: ClassVar[str]
    """Name of the coordinate, which has no unit."""

    crystals: ClassVar[Mapping[str, float]]
    """Coordinates of the crystals on the path by name; FCC is one of them."""

    requires = ('lattice',)

    @abstractmethod
    def cell(self, volume: float, coordinate: float) -> Atoms:
        """Return the cell of one atom at ``coordinate``.

        :param volume: volume in angstrom^3.
        """

    @property
    def grid(self) -> NDArray[np.float64]:
        """``[T]`` values of the coordinate."""
        grid = np.linspace(*self.settings.span, self.settings.n_points)
        for value in self.crystals.values():
            grid[np.argmin(np.abs(grid - value))] = value
        return grid

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return the cells along the path."""
        volume = requirements['lattice_constant'] ** 3 / 4
        return {
            self._task(index): Task(self.cell(volume, float(value)), group=self.name)
            for index, value in enumerate(self.grid)
        }

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Return the energy above FCC along the path, and the energies of the other crystals."""
        grid = self.grid
        found = [evaluations[self._task(index)] for index in range(len(grid))]
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

    def _task(self, index: int) -> str:
        return f'{self.name}_{index:02d}'


class BainPath(ConstantVolumePath):
    """Energy above FCC against c/a of the body-centred tetragonal cell, at the volume of FCC."""

    name = 'bain'
    defaults = BainSettings()
    coordinate = 'c_over_a'
    crystals = _BAIN_CRYSTALS
    columns = _columns('bcc')
    curves = _curves('c_over_a', 'ratio c/a of the body-centred tetragonal cell: 1 is BCC, √2 FCC')
    panels = (_panel('Bain path', 'c_over_a', 'c/a', _BAIN_CRYSTALS),)

    def cell(self, volume: float, coordinate: float) -> Atoms:
        """Return the primitive body-centred tetragonal cell with this c/a."""
        return replace(CRYSTALS['bcc'], c_over_a=coordinate).atoms(volume)


class TrigonalPath(ConstantVolumePath):
    """Energy above FCC against the stretch along [111], at the volume of FCC.

    The stretch ratio is defined as in Smith et al., Nat. Commun. 12, 1257 (2021): the distance between {111} layers
    over the distance of neighbours within a layer, relative to FCC.
    """

    name = 'trigonal'
    defaults = TrigonalSettings()
    coordinate = 'stretch_ratio'
    crystals = _TRIGONAL_CRYSTALS
    columns = _columns('sc', 'bcc')
    curves = _curves('stretch_ratio', 'stretch ratio: 1 is FCC, 0.5 SC, 0.25 BCC')
    panels = (_panel('trigonal path', 'stretch_ratio', 'stretch ratio along [111]', _TRIGONAL_CRYSTALS),)

    def cell(self, volume: float, coordinate: float) -> Atoms:
        """Return the primitive cell of FCC, stretched by s^(2/3) along [111] and by s^(-1/3) across it."""
        atoms = CRYSTALS['fcc'].atoms(volume)
        along = np.full((3, 3), 1 / 3)
        across = np.eye(3) - along
        stretch = coordinate ** (2 / 3) * along + coordinate ** (-1 / 3) * across
        atoms.set_cell(atoms.cell[:] @ stretch, scale_atoms=True)
        return atoms
