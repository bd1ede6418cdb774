"""The lattice constant of FCC, which all other properties start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator
from pydantic import Field
from scipy.optimize import brentq

from aiida_anial.common.errors import AnialError
from aiida_anial.common.settings import Settings
from aiida_anial.properties.analysis import from_energies, relative_energies
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.equation_of_state import EquationOfStateFit, Span, fit_equation_of_state
from aiida_anial.properties.property import Evaluation, PropertyResult, Quantity, Task

__all__ = (
    'LatticeSettings',
    'analyse_lattice',
    'fitted_lattice_constant',
    'lattice_constant_of',
    'lattice_tasks',
    'relaxed_lattice_constant',
)

# Far below the distance between the ripples of a network's curve, which is that of its radial shifts.
_STEP_ANGSTROM = 0.005
_TOLERANCE_ANGSTROM = 1e-7
_MAX_CHANGE = 0.1


class LatticeSettings(Settings):
    """Which FCC cells the equation of state is fitted to.

    :param range_angstrom: least and greatest lattice constant.
    :param n_points: number of cells, evenly spaced in the lattice constant.
    """

    range_angstrom: Span = (3.90, 4.20)
    n_points: Annotated[int, Field(ge=5)] = 13


def lattice_tasks(settings: LatticeSettings) -> dict[str, Task]:
    """Return the FCC cells to evaluate, by name."""
    constants = np.linspace(*settings.range_angstrom, settings.n_points)
    return {f'fcc_{index:02d}': Task(fcc(float(a)), group='fcc') for index, a in enumerate(constants)}


def lattice_constant_of(volume_per_atom: float) -> float:
    """Return the edge in angstrom of FCC's cubic cell of four atoms.

    :param volume_per_atom: in angstrom^3.
    """
    return float(np.cbrt(4 * volume_per_atom))


def fitted_lattice_constant(evaluations: Mapping[str, Evaluation]) -> float:
    """Return the lattice constant in angstrom at the minimum of the Birch-Murnaghan fit.

    :param evaluations: of the ``lattice_tasks``.
    :raises AnialError: if there is no minimum within the range.
    """
    found = list(evaluations.values())
    try:
        return lattice_constant_of(_fit(found, np.array([one.energy for one in found])).volume)
    except ValueError as exception:
        raise AnialError(f'there is no lattice constant of FCC: {exception}.') from exception


def relaxed_lattice_constant(calculator: Calculator, start: float) -> float:
    """Return the lattice constant at the minimum that lies downhill from ``start``, in angstrom, to 1e-6.

    The energy of a network ripples on the scale of its radial shifts. A fit goes across the ripples, and what is taken
    at its minimum, elastic constants for one, is that of a crystal under stress.

    :param calculator: whose stress is the exact derivative of its energy.
    :param start: in angstrom.
    :raises AnialError: if there is no minimum within a tenth of ``start``.
    """
    slope = _mean_stress(calculator, start)
    step = -_STEP_ANGSTROM if slope > 0 else _STEP_ANGSTROM
    here = start
    while abs(here - start) < _MAX_CHANGE * start:
        if _mean_stress(calculator, here + step) * slope <= 0:
            return float(brentq(lambda a: _mean_stress(calculator, a), here, here + step, xtol=_TOLERANCE_ANGSTROM))
        here += step
    raise AnialError(f'FCC has no minimum of the energy downhill from a lattice constant of {start:.3f} angstrom.')


def analyse_lattice(lattice_constant: float, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
    """Return the lattice constant, and what the equation of state says.

    :param lattice_constant: that the other properties start from, in angstrom.
    :param evaluations: of the ``lattice_tasks``.
    """
    found = sorted(evaluations.values(), key=lambda one: one.volume_per_atom)
    quantities = {'a0': Quantity(lattice_constant, 'angstrom')}
    notes: tuple[str, ...] = ()
    try:
        quantities['a0_fit'] = from_energies(
            found, lambda energies: lattice_constant_of(_fit(found, energies).volume), 'angstrom'
        )
        quantities['b0_fit'] = from_energies(found, lambda energies: _fit(found, energies).bulk_modulus, 'GPa')
    except ValueError as exception:
        notes = (f'FCC has no fit: {exception}.',)
    energies, disagreement = relative_energies(found, min(found, key=lambda one: one.energy_per_atom))
    curves = {
        'lattice_constant_angstrom': np.array([lattice_constant_of(one.volume_per_atom) for one in found]),
        'energy_ev_per_atom': energies,
        'disagreement_ev_per_atom': disagreement,
    }
    return PropertyResult(quantities, curves, notes)


def _fit(evaluations: list[Evaluation], energies: np.ndarray) -> EquationOfStateFit:
    """Return the fit to total energies ``[T]`` in eV of cells of one atom."""
    return fit_equation_of_state([one.volume_per_atom for one in evaluations], energies)


def _mean_stress(calculator: Calculator, lattice_constant: float) -> float:
    """Return a third of the trace of the stress of FCC in GPa: its sign is that of dE/da."""
    atoms = fcc(lattice_constant)
    atoms.calc = calculator
    return float(atoms.get_stress()[:3].mean() / units.GPa)
