"""Fits of equations of state."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from ase import units
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

    With x = (V0 / V)^(2/3), it is E = E0 + 9/16 V0 B0 [B0' (x - 1)^3 + (x - 1)^2 (6 - 4 x)].

    :param volumes: ``[n]`` in angstrom^3, at least four of them.
    :param energies: ``[n]`` in eV, for the same number of atoms as the volumes.
    :raises ValueError: if there are too few points, or the fit has no minimum within the range of volumes.
    """
    volume, energy = np.asarray(volumes, dtype=np.float64), np.asarray(energies, dtype=np.float64)
    if len(volume) < _N_PARAMETERS:
        raise ValueError(f'{len(volume)} points are too few for an equation of state')
    from ase.eos import EquationOfState

    # Total energies are thousands of times larger than their differences, and the fit ends at a relative change.
    lowest = energy.min()
    equation = EquationOfState(volume, energy - lowest, eos='birchmurnaghan')
    with warnings.catch_warnings():
        # Failed fits are detected below, so their warnings are not needed.
        warnings.simplefilter('ignore')
        try:
            equation.fit(warn=False)
        except RuntimeError as exception:
            raise ValueError('no equation of state fits the energies') from exception
    e0, b0, b0_prime, v0 = (float(value) for value in equation.eos_parameters)
    if not (volume.min() < v0 < volume.max() and b0 > 0):
        raise ValueError('the energies have no minimum within the range of the volumes')
    return EquationOfStateFit(v0, lowest + e0, b0 / units.GPa, b0_prime)


def _check(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError('the second value must be larger than the first')
    return value


Span = Annotated[tuple[Positive, Positive], AfterValidator(_check)]
"""Type of a range (low, high) with 0 < low < high."""
