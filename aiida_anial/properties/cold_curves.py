"""Energy-volume curves of FCC and its competitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.crystals import CRYSTALS, Crystal
from aiida_anial.properties.equation_of_state import EquationOfStateFit, Span, fit_equation_of_state
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.lattice import lattice_constant_of
from aiida_anial.properties.panels import Curve, Points
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, relative_energies, unconverged_notes

__all__ = ('ColdCurveSettings', 'ColdCurves')


def _check_crystal(name: str) -> str:
    if name not in CRYSTALS:
        raise ValueError(f'known crystals are {", ".join(CRYSTALS)}')
    return name


class ColdCurveSettings(Settings):
    """Crystals and volumes of the curves.

    :param crystals: names of the crystals; FCC, with which the others are compared, is always computed.
    :param range_relative: smallest and largest volume, relative to the typical volume of each crystal.
    :param n_points: number of volumes, evenly spaced.
    :param fit_window: the fit includes points whose volume is within this fraction of that of the lowest point.
    """

    crystals: tuple[Annotated[str, AfterValidator(_check_crystal)], ...] = tuple(CRYSTALS)
    range_relative: Span = (0.88, 1.12)
    n_points: Annotated[int, Field(ge=5)] = 13
    fit_window: Positive = 0.15


def _panel(name: str, crystal: Crystal) -> Curve:
    return Curve(
        figure='cold_curves',
        title=crystal.label,
        x=f'{name}_volume_angstrom3_per_atom',
        y=f'{name}_energy_ev_per_atom',
        x_label='volume (Å³/atom)',
        y_label='energy above FCC (meV/atom)',
        disagreement=f'{name}_disagreement_ev_per_atom',
        scale=1e3,
        rmse=f'{name}_rmse',
    )


class ColdCurves(Property[ColdCurveSettings]):
    """Minima of the crystals by Birch-Murnaghan fits, and their energies above FCC.

    Crystals with a c axis relax c/a at each volume. Curves are relative to the lowest point of FCC, so that the
    disagreement of members is that on energy differences.
    """

    name = 'cold_curves'
    defaults = ColdCurveSettings()
    quick = ColdCurveSettings(crystals=('fcc', 'hcp', 'bcc', 'sc', 'diamond'), n_points=7)
    requires = ('lattice',)
    columns = (
        Column(
            quantity='fcc_rank',
            unit='1',
            help='Rank of FCC among the crystals; 1 is the lowest energy',
            key='fcc_rank',
            heading='rank\nof FCC',
            in_status=True,
        ),
        *(
            Column(
                quantity=f'{name}_minus_fcc',
                unit='meV/atom',
                help=f'Energy of {name.upper()} above FCC',
                key=f'{name}_minus_fcc_mev_per_atom',
                heading=f'{name.upper()}\nmeV/atom',
                digits=1,
            )
            for name in ('hcp', 'bcc')
        ),
        Column(quantity='X_minus_fcc', unit='meV/atom', help='Energy of any crystal X above FCC, each at its minimum'),
        Column(quantity='X_v0', unit='angstrom3/atom', help='Volume at the minimum'),
        Column(quantity='X_b0', unit='GPa', help='Bulk modulus at the minimum'),
        Column(quantity='X_b0_prime', unit='1', help='Pressure derivative of the bulk modulus'),
        Column(quantity='X_c_over_a', unit='1', help='c/a at the computed volume nearest to the minimum'),
        Column(quantity='fcc_a0', unit='angstrom', help='Lattice constant at `fcc_v0`'),
        Column(quantity='X_rmse', unit='meV/atom', help='Deviation of the curve from that of the reference'),
        Column(quantity='X_minus_fcc_error', unit='meV/atom', help='Difference of `X_minus_fcc` from the reference'),
    )
    curves = (
        ('X_volume_angstrom3_per_atom', 'volumes'),
        ('X_energy_ev_per_atom', 'energy above the lowest point of FCC'),
        ('X_disagreement_ev_per_atom', 'disagreement of the members on that energy'),
    )
    panels = (
        *(_panel(name, crystal) for name, crystal in CRYSTALS.items()),
        # Close-packed crystals are tens of meV/atom above FCC, diamond nearly a thousand.
        Points(
            figure='crystals',
            labels={
                f'{name}_minus_fcc': crystal.label.replace(' ', '\n')
                for name, crystal in CRYSTALS.items()
                if name != 'fcc'
            },
            y_label='energy above FCC,\neach at its minimum (meV/atom)',
            width=7.0,
            zero=True,
            linear_below=10.0,
        ),
    )

    def __init__(self, settings: ColdCurveSettings) -> None:
        super().__init__(settings)
        self._crystals = tuple(dict.fromkeys(('fcc', *settings.crystals)))

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return the cells of all crystals at all volumes."""
        relative = np.linspace(*self.settings.range_relative, self.settings.n_points)
        tasks = {}
        for name in self._crystals:
            crystal = CRYSTALS[name]
            for index, volume in enumerate(relative * crystal.volume_ratio * requirements['lattice_constant'] ** 3 / 4):
                tasks[_task(name, index)] = Task(crystal.atoms(float(volume)), crystal.relaxation, group=name)
        return tasks

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Return the minima and curves of the crystals, and the rank of FCC among them."""
        found = {
            name: [evaluations[_task(name, index)] for index in range(self.settings.n_points)]
            for name in self._crystals
        }
        lowest = {name: min(points, key=lambda one: one.energy_per_atom) for name, points in found.items()}
        fitted, notes = {}, []
        for name, points in found.items():
            near = self._near(points, lowest[name].volume_per_atom)
            try:
                _fit(near, _energies(near))
            except ValueError as exception:
                notes.append(f'The curve of {name} has no fit: {exception}.')
            else:
                fitted[name] = near
        notes += unconverged_notes(evaluations)
        curves: dict[str, NDArray[np.float64]] = {}
        for name, points in found.items():
            curves |= _curves(name, points, lowest['fcc'])
        return PropertyResult(_quantities(fitted), curves, tuple(notes))

    def _near(self, points: list[Evaluation], volume: float) -> list[Evaluation]:
        """Return the points within the fit window around ``volume``, in angstrom^3/atom."""
        limit = self.settings.fit_window * volume * (1 + 1e-6)
        return [one for one in points if abs(one.volume_per_atom - volume) <= limit]


def _task(crystal: str, index: int) -> str:
    return f'{crystal}_{index:02d}'


def _energies(points: Sequence[Evaluation]) -> NDArray[np.float64]:
    return np.array([one.energy for one in points])


def _fit(points: Sequence[Evaluation], energies: NDArray[np.float64]) -> EquationOfStateFit:
    """Return the fit per atom to total energies ``[T]`` in eV of the ``points``."""
    per_atom = energies / np.array([len(one.atoms) for one in points])
    return fit_equation_of_state([one.volume_per_atom for one in points], per_atom)


def _quantities(fitted: Mapping[str, list[Evaluation]]) -> dict[str, Quantity]:
    """Return the quantities of all crystals, given the points of those that can be fitted."""
    quantities: dict[str, Quantity] = {}
    for name, points in fitted.items():
        quantities |= _minimum(name, points)
    if 'fcc' not in fitted:
        return quantities
    for name, points in fitted.items():
        if name != 'fcc':
            quantities[f'{name}_minus_fcc'] = _above(points, fitted['fcc'])
    quantities['fcc_a0'] = from_energies(
        fitted['fcc'], lambda energies: lattice_constant_of(_fit(fitted['fcc'], energies).volume), 'angstrom'
    )
    below = [name for name in fitted if name != 'fcc' and quantities[f'{name}_minus_fcc'].value < 0]
    quantities['fcc_rank'] = Quantity(1.0 + len(below), '1')
    return quantities


def _minimum(name: str, points: list[Evaluation]) -> dict[str, Quantity]:
    """Return the volume of one crystal at its minimum, with bulk modulus and c/a."""
    volume = from_energies(points, lambda energies: _fit(points, energies).volume, 'angstrom3/atom')
    quantities = {
        f'{name}_v0': volume,
        f'{name}_b0': from_energies(points, lambda energies: _fit(points, energies).bulk_modulus, 'GPa'),
        f'{name}_b0_prime': from_energies(points, lambda energies: _fit(points, energies).bulk_modulus_derivative, '1'),
    }
    crystal = CRYSTALS[name]
    if crystal.c_over_a is not None:
        nearest = min(points, key=lambda one: abs(one.volume_per_atom - volume.value))
        quantities[f'{name}_c_over_a'] = Quantity(crystal.c_over_a_of(nearest.atoms), '1')
    return quantities


def _above(points: list[Evaluation], fcc: list[Evaluation]) -> Quantity:
    """Return the energy of a crystal above FCC, each at its own minimum, in meV/atom."""

    def difference(energies: NDArray[np.float64]) -> float:
        of_crystal, of_fcc = np.split(energies, [len(points)])
        return 1e3 * (_fit(points, of_crystal).energy - _fit(fcc, of_fcc).energy)

    return from_energies([*points, *fcc], difference, 'meV/atom')


def _curves(name: str, points: list[Evaluation], reference: Evaluation) -> dict[str, NDArray[np.float64]]:
    """Return the curve of one crystal, with energies relative to ``reference``."""
    energies, disagreement = relative_energies(points, reference)
    return {
        f'{name}_volume_angstrom3_per_atom': np.array([one.volume_per_atom for one in points]),
        f'{name}_energy_ev_per_atom': energies,
        f'{name}_disagreement_ev_per_atom': disagreement,
    }
