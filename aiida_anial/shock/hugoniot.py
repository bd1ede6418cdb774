"""The Hugoniot point of a wave: its velocity, and the state behind it, with conservation laws as checks."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.common.quantity import Quantity
from aiida_anial.shock.wave_output import Profiles

__all__ = ('front_positions', 'hugoniot_point', 'measured_velocity', 'steady_profiles')

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Numbers = TypeVar('Numbers', float, Array)

# Slices this close to the front, the piston or the free surface do not count.
_MARGIN_ANGSTROM: Final = 15.0
# From when on, and until when, the wave counts as steady, as shares of the time until it reaches the free surface.
_STEADY: Final = (0.3, 0.95)
_LEAST_PROFILES: Final = 4
_KM_S: Final = 0.1  # 1 angstrom/ps


def measured_velocity(particle_velocity_km_s: Numbers) -> Numbers:
    """Return U_s of aluminium 1100 by experiments, in km/s.

    Mitchell and Nellis, J. Appl. Phys. 52, 3363 (1981), doi:10.1063/1.329160: a line through shocks up to 220 GPa.
    """
    return 5.386 + 1.339 * particle_velocity_km_s


def front_positions(profiles: Profiles, particle_velocity_km_s: float) -> Array:
    """Return where the velocity along the wave is half of -u_p, ``[T]`` in angstrom above the foot of the piston.

    It is NaN before there is a slice behind the wave, and once none is ahead.
    """
    limit = -particle_velocity_km_s / 2
    found = np.full(len(profiles.times_ps), np.nan)
    for row, velocities in enumerate(profiles.velocities[..., 1]):
        filled = np.flatnonzero(np.isfinite(velocities))
        ahead, behind = (filled[which] for which in (velocities[filled] < limit, velocities[filled] >= limit))
        # The outermost slices may be behind as well: they hold few atoms.
        if not len(ahead) or ahead[-1] < filled[-1] - 2:
            continue
        behind = behind[behind < ahead[-1]]
        if len(behind):
            low, high = velocities[behind[-1]], velocities[behind[-1] + 1]
            width = profiles.positions[1] - profiles.positions[0]
            found[row] = profiles.positions[behind[-1]] + width * (low - limit) / (low - high)
    return found


def hugoniot_point(profiles: Profiles, particle_velocity_km_s: float, piston_angstrom: float) -> dict[str, Quantity]:
    """Return the Hugoniot point of a wave.

    The velocity U_s is that of the front relative to the crystal ahead. From it and from the density ahead, momentum
    and mass conservation give pressure and density behind, with which those in the profiles are compared.

    :param particle_velocity_km_s: u_p.
    :param piston_angstrom: thickness of the piston.
    :raises AnialError: if the wave was too short.
    """
    velocity = particle_velocity_km_s
    fronts = front_positions(profiles, velocity)
    rows = steady_profiles(profiles, velocity)
    speed, error = _slope(profiles.times_ps[rows], fronts[rows])
    ahead = _state(profiles, rows, _slices_ahead(profiles, rows, fronts))
    behind = _state(profiles, rows, _slices_behind(profiles, rows, fronts, piston_angstrom))
    density, stress = ahead['density'].value, ahead['stress_along_wave'].value
    return {
        'particle_velocity': Quantity(velocity, 'km/s'),
        'shock_velocity': Quantity(speed + velocity, 'km/s', error),
        'measured_shock_velocity': Quantity(measured_velocity(velocity), 'km/s'),
        **behind,
        'density_by_mass_conservation': Quantity(density * (speed + velocity) / speed, 'g/cm3'),
        'stress_by_momentum_conservation': Quantity(stress + density * (speed + velocity) * velocity, 'GPa'),
        **{f'initial_{name}': value for name, value in ahead.items()},
    }


def steady_profiles(profiles: Profiles, particle_velocity_km_s: float) -> Rows:
    """Return the profiles in which the wave is steady.

    :raises AnialError: if there are too few.
    """
    times, fronts = profiles.times_ps, front_positions(profiles, particle_velocity_km_s)
    seen = np.flatnonzero(np.isfinite(fronts))
    low, high = (share * times[seen[-1]] for share in _STEADY) if len(seen) else (0.0, 0.0)
    rows = seen[(times[seen] >= low) & (times[seen] <= high)]
    if len(rows) < _LEAST_PROFILES:
        raise AnialError(
            f'the wave is in {len(rows)} profiles, and {_LEAST_PROFILES} give a velocity: '
            'raise repeats or time_ps, or lower profile_interval_steps.'
        )
    return rows


def _slope(times: Array, fronts: Array) -> tuple[float, float]:
    """Return the velocity of the front relative to the piston, and its standard error, in km/s."""
    (slope, _), covariance = np.polyfit(times, fronts, 1, cov=True)
    return float(slope) * _KM_S, float(np.sqrt(covariance[0, 0])) * _KM_S


def _slices_behind(profiles: Profiles, rows: Rows, fronts: Array, piston_angstrom: float) -> NDArray[np.bool_]:
    """Return which slices of the profiles ``rows`` are between piston and front, ``[rows, B]``."""
    above = profiles.positions > piston_angstrom + _MARGIN_ANGSTROM
    behind: NDArray[np.bool_] = above & (profiles.positions < fronts[rows, None] - _MARGIN_ANGSTROM)
    return behind


def _slices_ahead(profiles: Profiles, rows: Rows, fronts: Array) -> NDArray[np.bool_]:
    """Return which slices of the profiles ``rows`` are between front and free surface, ``[rows, B]``."""
    tops = np.where(profiles.counts[rows] > 0, profiles.positions, 0).max(axis=1)[:, None]
    below = profiles.positions < tops - _MARGIN_ANGSTROM
    ahead: NDArray[np.bool_] = below & (profiles.positions > fronts[rows, None] + _MARGIN_ANGSTROM)
    return ahead


def _state(profiles: Profiles, rows: Rows, slices: NDArray[np.bool_]) -> dict[str, Quantity]:
    """Return means over the atoms in some slices of profiles, with their standard deviations over the profiles."""
    weights = np.where(slices, profiles.counts[rows], 0.0)
    across = np.array([0, 2])
    columns = {
        'density': (profiles.densities, 'g/cm3'),
        'stress_along_wave': (profiles.stresses[..., 1], 'GPa'),
        'stress_across_wave': (profiles.stresses[..., across].mean(axis=-1), 'GPa'),
        'temperature': (profiles.temperatures[..., across].mean(axis=-1), 'K'),
        'force_disagreement': (profiles.disagreements, 'eV/angstrom'),
    }
    return {name: _mean(values[rows], weights, unit) for name, (values, unit) in columns.items()}


def _mean(values: Array, weights: Array, unit: str) -> Quantity:
    """Return the mean over all slices; ``values`` and ``weights`` are ``[rows, B]``."""
    some = weights.sum(axis=1) > 0
    if not some.any():
        return Quantity(float('nan'), unit)
    values, weights = np.where(weights > 0, values, 0.0)[some], weights[some]
    means = (values * weights).sum(axis=1) / weights.sum(axis=1)
    spread = float(means.std(ddof=1)) if len(means) > 1 else None
    return Quantity(float(np.average(means, weights=weights.sum(axis=1))), unit, spread)
