"""Energy against volume of FCC and its competitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.analysis import from_energies, relative_energies, unconverged_notes
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.equation_of_state import EquationOfStateFit, Span, fit_equation_of_state
from aiida_anial.properties.lattice import lattice_constant_of
from aiida_anial.properties.property import Evaluation, PropertyResult, Quantity, Task

__all__ = ('ColdCurveSettings', 'ColdCurves')


def _check_crystal(name: str) -> str:
    if name not in CRYSTALS:
        raise ValueError(f'known crystals are {", ".join(CRYSTALS)}')
    return name


class ColdCurveSettings(Settings):
    """Which crystals are computed at which volumes.

    :param crystals: names; FCC, which the others are compared with, is computed in any case.
    :param range_relative: least and greatest volume over the typical volume of each crystal, which is its multiple of
        that of FCC at the lattice constant.
    :param n_points: number of volumes, evenly spaced.
    :param fit_window: points whose volume is within this fraction of that of the lowest one are fitted.
    """

    crystals: tuple[Annotated[str, AfterValidator(_check_crystal)], ...] = tuple(CRYSTALS)
    range_relative: Span = (0.88, 1.12)
    n_points: Annotated[int, Field(ge=5)] = 13
    fit_window: Positive = 0.15


class ColdCurves:
    """Minima of the crystals by fits of the Birch-Murnaghan equation, and their energies above FCC.

    A crystal with an axis relaxes its c/a at each volume. Curves are above the lowest of the points of FCC, so that
    the members of an ensemble disagree on what differs between crystals only.
    """

    def __init__(self, settings: ColdCurveSettings) -> None:
        self.settings = settings
        self._crystals = tuple(dict.fromkeys(('fcc', *settings.crystals)))

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells of all crystals at all volumes."""
        relative = np.linspace(*self.settings.range_relative, self.settings.n_points)
        tasks = {}
        for name in self._crystals:
            crystal = CRYSTALS[name]
            for index, volume in enumerate(relative * crystal.volume_ratio * lattice_constant**3 / 4):
                tasks[_task(name, index)] = Task(crystal.atoms(float(volume)), crystal.relaxation, group=name)
        return tasks

    def analyse(
        self,
        lattice_constant: float,  # noqa: ARG002 - the cells say it all
        evaluations: Mapping[str, Evaluation],
    ) -> PropertyResult:
        """Return the minima, the curves, and the rank of FCC among the crystals."""
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
        """Return the points within the window of the fit about ``volume``, in angstrom^3 per atom."""
        limit = self.settings.fit_window * volume * (1 + 1e-6)
        return [one for one in points if abs(one.volume_per_atom - volume) <= limit]


def _task(crystal: str, index: int) -> str:
    return f'{crystal}_{index:02d}'


def _energies(points: Sequence[Evaluation]) -> NDArray[np.float64]:
    return np.array([one.energy for one in points])


def _fit(points: Sequence[Evaluation], energies: NDArray[np.float64]) -> EquationOfStateFit:
    """Return the fit per atom to total energies ``[T]`` in eV."""
    per_atom = energies / np.array([len(one.atoms) for one in points])
    return fit_equation_of_state([one.volume_per_atom for one in points], per_atom)


def _quantities(fitted: Mapping[str, list[Evaluation]]) -> dict[str, Quantity]:
    """Return what follows from the points that can be fitted, by crystal."""
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
    """Return where one crystal has its minimum, and what it is like there."""
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
    """Return the curve of one crystal above ``reference``."""
    energies, disagreement = relative_energies(points, reference)
    return {
        f'{name}_volume_angstrom3_per_atom': np.array([one.volume_per_atom for one in points]),
        f'{name}_energy_ev_per_atom': energies,
        f'{name}_disagreement_ev_per_atom': disagreement,
    }
