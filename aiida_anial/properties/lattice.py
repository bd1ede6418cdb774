"""The lattice constant of FCC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator
from pydantic import Field

from aiida_anial.common.errors import AnialError
from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Settings
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.equation_of_state import EquationOfStateFit, Span, fit_equation_of_state
from aiida_anial.properties.evaluation import Evaluation, Task, evaluate_all
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, relative_energies

__all__ = (
    'Lattice',
    'LatticeSettings',
    'fitted_lattice_constant',
    'lattice_constant_of',
    'relaxed_lattice_constant',
)

# Far below the distance between ripples in the energy of a network, which is that of its radial shifts.
_STEP_ANGSTROM = 0.005
_TOLERANCE_ANGSTROM = 1e-7
_MAX_CHANGE = 0.1


class LatticeSettings(Settings):
    """FCC cells to which the equation of state is fitted.

    :param range_angstrom: smallest and largest lattice constant.
    :param n_points: number of cells, evenly spaced in the lattice constant.
    """

    range_angstrom: Span = (3.90, 4.20)
    n_points: Annotated[int, Field(ge=5)] = 13


class Lattice(Property[LatticeSettings]):
    """Lattice constant of FCC at the minimum of the energy, and a Birch-Murnaghan fit.

    For a potential, it is the true minimum of the energy that lies downhill from the minimum of the fit. The energy of
    a network has ripples on the scale of its radial shifts; a fit averages over them, and elastic constants at the
    minimum of the fit would be those of a crystal under stress. For DFT, it is the minimum of the fit, because with a
    finite basis set the pressure does not vanish at the minimum of the energy.
    """

    name = 'lattice'
    defaults = LatticeSettings()
    quick = LatticeSettings()
    columns = (
        Column(
            quantity='a0',
            unit='angstrom',
            help='Lattice constant of FCC at the minimum of the energy',
            is_explained=True,
            key='a0_angstrom',
            heading='a0\nÅ',
            digits=4,
            in_status=True,
            provides='lattice_constant',
        ),
        Column(
            quantity='a0_fit',
            unit='angstrom',
            help='Lattice constant of the fit, which averages over ripples of the energy',
            is_explained=True,
        ),
        Column(quantity='b0_fit', unit='GPa', help='Bulk modulus of the same fit', is_explained=True),
    )
    curves = (
        ('lattice_constant_angstrom', 'lattice constants'),
        ('energy_ev_per_atom', 'energy above the lowest point'),
        ('disagreement_ev_per_atom', 'disagreement of the members on that energy'),
    )
    panels = (
        Curve(
            figure='lattice',
            x='lattice_constant_angstrom',
            y='energy_ev_per_atom',
            x_label='lattice constant of FCC (Å)',
            y_label='energy above the lowest (meV/atom)',
            disagreement='disagreement_ev_per_atom',
            scale=1e3,
        ),
    )

    def tasks(self, requirements: Requirements) -> dict[str, Task]:  # noqa: ARG002 - there are no requirements
        """Return the FCC cells to evaluate."""
        constants = np.linspace(*self.settings.range_angstrom, self.settings.n_points)
        return {f'fcc_{index:02d}': Task(fcc(float(a)), group='fcc') for index, a in enumerate(constants)}

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Return the lattice constant of the fit, and the curve."""
        return _result(fitted_lattice_constant(evaluations), evaluations)

    def measure(self, requirements: Requirements, calculator: Calculator, runner: DynamicsRunner) -> PropertyResult:
        """Return the lattice constant at the true minimum of the energy, and the curve."""
        evaluations = evaluate_all(self.tasks(requirements), calculator)
        lattice_constant = relaxed_lattice_constant(calculator, fitted_lattice_constant(evaluations))
        runner.report(f'{self.name}: {lattice_constant:.4f} angstrom')
        return _result(lattice_constant, evaluations)


def lattice_constant_of(volume_per_atom: float) -> float:
    """Return the edge of the cubic cell of FCC, with four atoms, in angstrom.

    :param volume_per_atom: in angstrom^3.
    """
    return float(np.cbrt(4 * volume_per_atom))


def fitted_lattice_constant(evaluations: Mapping[str, Evaluation]) -> float:
    """Return the lattice constant in angstrom at the minimum of the Birch-Murnaghan fit.

    :param evaluations: results for FCC cells of one atom.
    :raises AnialError: if there is no minimum within the range of volumes.
    """
    found = list(evaluations.values())
    try:
        return lattice_constant_of(_fit(found, np.array([one.energy for one in found])).volume)
    except ValueError as exception:
        raise AnialError(f'there is no lattice constant of FCC: {exception}.') from exception


def relaxed_lattice_constant(calculator: Calculator, start: float) -> float:
    """Return the lattice constant at the minimum downhill from ``start``, in angstrom, to 1e-6.

    :param calculator: calculator whose stress is the exact derivative of its energy.
    :param start: in angstrom.
    :raises AnialError: if there is no minimum within a tenth of ``start``.
    """
    from scipy.optimize import brentq  # a second to import

    slope = _mean_stress(calculator, start)
    step = -_STEP_ANGSTROM if slope > 0 else _STEP_ANGSTROM
    here = start
    while abs(here - start) < _MAX_CHANGE * start:
        if _mean_stress(calculator, here + step) * slope <= 0:
            return float(brentq(lambda a: _mean_stress(calculator, a), here, here + step, xtol=_TOLERANCE_ANGSTROM))
        here += step
    raise AnialError(f'FCC has no minimum of the energy downhill from a lattice constant of {start:.3f} angstrom.')


def _result(lattice_constant: float, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
    """Return the result with the given lattice constant in angstrom, the fit and the curve."""
    found = sorted(evaluations.values(), key=lambda one: one.volume_per_atom)
    quantities = {
        'a0': Quantity(lattice_constant, 'angstrom'),
        'a0_fit': from_energies(found, lambda energies: lattice_constant_of(_fit(found, energies).volume), 'angstrom'),
        'b0_fit': from_energies(found, lambda energies: _fit(found, energies).bulk_modulus, 'GPa'),
    }
    energies, disagreement = relative_energies(found, min(found, key=lambda one: one.energy_per_atom))
    curves = {
        'lattice_constant_angstrom': np.array([lattice_constant_of(one.volume_per_atom) for one in found]),
        'energy_ev_per_atom': energies,
        'disagreement_ev_per_atom': disagreement,
    }
    return PropertyResult(quantities, curves)


def _fit(evaluations: list[Evaluation], energies: np.ndarray) -> EquationOfStateFit:
    """Return the fit to total energies ``[T]`` in eV of cells of one atom."""
    return fit_equation_of_state([one.volume_per_atom for one in evaluations], energies)


def _mean_stress(calculator: Calculator, lattice_constant: float) -> float:
    """Return a third of the trace of the stress of FCC in GPa, which has the sign of dE/da."""
    atoms = fcc(lattice_constant)
    atoms.calc = calculator
    return float(atoms.get_stress()[:3].mean() / units.GPa)
