"""Pressure of FCC against volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from ase import units
from numpy.typing import NDArray
from pydantic import Field

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Settings
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.equation_of_state import Span
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies

__all__ = ('PressureSettings', 'PressureVolume')

_REPORTED = (0.9, 0.8)


class PressureSettings(Settings):
    """Volumes at which the pressure is computed.

    :param range_relative: smallest and largest volume, relative to that at the lattice constant.
    :param n_points: number of volumes, evenly spaced.
    """

    range_relative: Span = (0.7, 1.1)
    n_points: Annotated[int, Field(ge=4)] = 17


class PressureVolume(Property[PressureSettings]):
    """Static pressure of FCC, from the stress.

    It is interpolated by a cubic spline. Members have no stresses of their own, so their disagreement is that of the
    derivatives of splines through their energies.
    """

    name = 'pressure'
    defaults = PressureSettings()
    requires = ('lattice',)
    columns = (Column(quantity='pressure_at_F_v0', unit='GPa', help='Pressure at 0.9 and 0.8 of the volume at rest'),)
    curves = (
        ('relative_volume', 'volume over that at rest'),
        ('volume_angstrom3_per_atom', 'volume'),
        ('pressure_gpa', 'pressure, positive in compression'),
        ('pressure_disagreement_gpa', 'disagreement of the members on the pressure'),
    )
    panels = (
        Curve(
            figure='pressure',
            x='relative_volume',
            y='pressure_gpa',
            x_label='volume over that at rest',
            y_label='pressure (GPa)',
            disagreement='pressure_disagreement_gpa',
        ),
    )

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return FCC cells at all volumes."""
        edges = requirements['lattice_constant'] * np.cbrt(self._relative_volumes)
        return {_name(index): Task(fcc(float(edge)), group='fcc') for index, edge in enumerate(edges)}

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return the pressure as a function of volume, and at 0.9 and 0.8 of the volume at rest."""
        from scipy.interpolate import CubicSpline  # a second to import

        relative = self._relative_volumes
        found = [evaluations[_name(index)] for index in range(len(relative))]
        pressures = np.array([-np.trace(one.stress) / 3 / units.GPa for one in found])
        at_rest = requirements['lattice_constant'] ** 3 / 4
        volumes = at_rest * relative
        spline = CubicSpline(relative, pressures)
        quantities, notes = {}, []
        for at in _REPORTED:
            if relative[0] <= at <= relative[-1]:
                name = f'pressure_at_{at:.2f}_v0'.replace('.', '_')
                disagreement = _disagreement(found, volumes, at * at_rest)
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
    """Return the standard deviation over members of the pressure at ``volume``, in GPa; None without members."""
    from scipy.interpolate import CubicSpline

    def pressure(energies: NDArray[np.float64]) -> float:
        return float(-CubicSpline(volumes, energies)(volume, 1) / units.GPa)

    return from_energies(found, pressure, 'GPa').uncertainty
