"""Fits of equations of state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from ase import units
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike
from pydantic import AfterValidator

from aiida_anial.common.settings import Positive

__all__ = ('EquationOfStateFit', 'Span', 'fit_equation_of_state')

_N_PARAMETERS = 4


@dataclass(frozen=True)
class EquationOfStateFit:
    """The minimum of an energy-volume curve, and its curvature.

    :param volume: V0 in angstrom^3, for the same number of atoms as the volumes.
    :param energy: E0 in eV.
    :param bulk_modulus: B0 in GPa.
    :param bulk_modulus_derivative: B0', the pressure derivative of B at V0.
    """

    volume: float
    energy: float
    bulk_modulus: float
    bulk_modulus_derivative: float


def fit_equation_of_state(volumes: ArrayLike, energies: ArrayLike) -> EquationOfStateFit:
    """Return the least-squares fit of the Birch-Murnaghan equation of third order (F. Birch, 10.1103/PhysRev.71.809).

    With y = (V0 / V)^(2/3), it is E = E0 + 9/16 V0 B0 [B0' (y - 1)^3 + (y - 1)^2 (6 - 4 y)].

    :param volumes: ``[n]`` in angstrom^3, at least four of them.
    :param energies: ``[n]`` in eV, for the same number of atoms as the volumes.
    :raises ValueError: if there are too few points, or the fit has no minimum within the range of volumes.
    """
    volume, energy = np.asarray(volumes, dtype=np.float64), np.asarray(energies, dtype=np.float64)
    if len(volume) < _N_PARAMETERS:
        raise ValueError(f'{len(volume)} points are too few for an equation of state')
    # The equation is a cubic in V^(-2/3). A linear fit is exact to rounding; an iterative one ends at 1e-8, and differs
    # from run to run.
    x, lowest = volume ** (-2 / 3), energy.min()
    cubic = Polynomial.fit(x, energy - lowest, _N_PARAMETERS - 1)
    curvature = cubic.deriv(2)
    for root in cubic.deriv().roots():
        x0 = float(root.real)
        if np.isreal(root) and x.min() < x0 < x.max() and curvature(x0) > 0:
            v0 = x0 ** (-3 / 2)
            b0 = 4 / 9 * x0**2 * float(curvature(x0)) / v0
            b0_prime = 4 + 8 / 27 * x0**3 * float(cubic.deriv(3)(x0)) / (v0 * b0)
            return EquationOfStateFit(v0, float(lowest + cubic(x0)), b0 / units.GPa, b0_prime)
    raise ValueError('the energies have no minimum within the range of the volumes')


def _check(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError('the second value must be larger than the first')
    return value


Span = Annotated[tuple[Positive, Positive], AfterValidator(_check)]
"""Type of a range (low, high) with 0 < low < high."""
