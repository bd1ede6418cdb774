"""Pressure of FCC against volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from ase import units
from numpy.typing import NDArray
from pydantic import Field
from scipy.interpolate import CubicSpline

from aiida_anial.common.settings import Settings
from aiida_anial.properties.analysis import from_energies
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.equation_of_state import Span
from aiida_anial.properties.property import Evaluation, PropertyResult, Quantity, Task

__all__ = ('PressureSettings', 'PressureVolume')

_REPORTED = (0.9, 0.8)


class PressureSettings(Settings):
    """Which volumes the pressure is taken at.

    :param range_relative: least and greatest volume over that at the lattice constant.
    :param n_points: number of volumes, evenly spaced.
    """

    range_relative: Span = (0.7, 1.1)
    n_points: Annotated[int, Field(ge=4)] = 17


class PressureVolume:
    """Static pressure of FCC, from the stress.

    Between the volumes it is a cubic spline. The disagreement is that of the derivatives of splines through the
    energies of the members, which have no stress of their own.
    """

    def __init__(self, settings: PressureSettings) -> None:
        self.settings = settings

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return FCC cells at all volumes."""
        edges = lattice_constant * np.cbrt(self._relative_volumes)
        return {_name(index): Task(fcc(float(edge)), group='fcc') for index, edge in enumerate(edges)}

    def analyse(self, lattice_constant: float, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return the pressure against the volume, and at nine and eight tenths of the volume at rest."""
        relative = self._relative_volumes
        found = [evaluations[_name(index)] for index in range(len(relative))]
        pressures = np.array([-np.trace(one.stress) / 3 / units.GPa for one in found])
        volumes = lattice_constant**3 / 4 * relative
        spline = CubicSpline(relative, pressures)
        quantities, notes = {}, []
        for at in _REPORTED:
            if relative[0] <= at <= relative[-1]:
                name = f'pressure_at_{at:.2f}_v0'.replace('.', '_')
                disagreement = _disagreement(found, volumes, at * lattice_constant**3 / 4)
                quantities[name] = Quantity(float(spline(at)), 'GPa', disagreement)
            else:
                notes.append(f'The volumes do not reach {at:.2f} of that at rest.')
        curves = {
            'relative_volume': relative,
            'volume_angstrom3_per_atom': volumes,
            'pressure_gpa': pressures,
            'pressure_disagreement_gpa': np.array([_disagreement(found, volumes, v) or 0.0 for v in volumes]),
        }
        return PropertyResult(quantities, curves, tuple(notes))

    @property
    def _relative_volumes(self) -> NDArray[np.float64]:
        return np.linspace(*self.settings.range_relative, self.settings.n_points)


def _name(index: int) -> str:
    return f'volume_{index:02d}'


def _disagreement(found: list[Evaluation], volumes: NDArray[np.float64], volume: float) -> float | None:
    """Return the standard deviation over the members of the pressure at ``volume`` in GPa; None without members."""

    def pressure(energies: NDArray[np.float64]) -> float:
        return float(-CubicSpline(volumes, energies)(volume, 1) / units.GPa)

    return from_energies(found, pressure, 'GPa').uncertainty
