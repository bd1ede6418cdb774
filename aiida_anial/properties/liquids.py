"""Structure and motion of atoms in a liquid, from frames and velocities of dynamics."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = (
    'Diffusion',
    'diffusion',
    'finite_size_correction',
    'mean_square_displacement',
    'radial_distribution',
    'velocity_spectrum',
)

Array = NDArray[np.float64]

# Of a cubic lattice of images, from the Ewald sum of the Oseen tensor (Yeh and Hummer, below).
_XI: Final = 2.837297
_BOLTZMANN_J_PER_K: Final = 1.380649e-23
# 1 angstrom^2/ps in 1e-9 m^2/s.
_NM2_PER_NS: Final = 10.0


def radial_distribution(positions: Array, edges: Array, *, r_max: float, bin_angstrom: float) -> tuple[Array, Array]:
    """Return distances ``[B]``, the middles of the bins in angstrom, and g(r) ``[B]``, the mean over frames.

    :param positions: ``[T, n, 3]`` angstrom, wrapped or not.
    :param edges: ``[3]`` edges of the orthorhombic cell, angstrom; all at least 2 ``r_max``.
    :raises ValueError: if the cell is too small.
    """
    if edges.min() < 2 * r_max:
        raise ValueError(f'a cell of {edges.min():.1f} angstrom is too small for distances up to {r_max:g} angstrom')
    radii = np.arange(round(r_max / bin_angstrom) + 1) * bin_angstrom
    counts = np.zeros(len(radii) - 1)
    for frame in positions:
        tree = cKDTree(np.mod(frame, edges), boxsize=edges)
        counts += np.diff(tree.count_neighbors(tree, radii))
    n_atoms = positions.shape[1]
    # At distance 0 an atom is its own neighbour, which the difference removes.
    shells = 4 / 3 * np.pi * np.diff(radii**3)
    density = n_atoms / edges.prod()
    return (radii[:-1] + radii[1:]) / 2, counts / (len(positions) * n_atoms * density * shells)


def mean_square_displacement(positions: Array) -> Array:
    """Return the mean square displacement ``[T, 3]`` along each axis, by lag, over all atoms and all origins.

    :param positions: ``[T, n, 3]`` not wrapped, at equal intervals. The drift of all atoms together is removed.
    """
    positions = positions - positions.mean(axis=1, keepdims=True)
    lags = [
        ((positions[lag:] - positions[: len(positions) - lag]) ** 2).mean(axis=(0, 1)) for lag in range(len(positions))
    ]
    return np.array(lags)


class Diffusion(NamedTuple):
    """Self-diffusion in 1e-9 m2/s, and its standard error from the three axes."""

    value: float
    uncertainty: float


def diffusion(displacements: Array, interval_ps: float, *, from_ps: float) -> Diffusion:
    """Return the self-diffusion coefficient from the slope of mean square displacements (Einstein's relation).

    :param displacements: ``[T, 3]`` angstrom^2 along each axis, by lag.
    :param interval_ps: time between lags.
    :param from_ps: shortest lag of the fit, after the ballistic motion; the longest is half of all, for beyond there
        are few origins.
    """
    lags = np.arange(len(displacements)) * interval_ps
    chosen = (lags >= from_ps) & (lags <= lags[-1] / 2)
    slopes = np.polyfit(lags[chosen], displacements[chosen], 1)[0] / 2 * _NM2_PER_NS
    return Diffusion(float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(3)))


def finite_size_correction(temperature_k: float, edge_angstrom: float, viscosity_mpa_s: float) -> float:
    """Return what a periodic cube lacks in self-diffusion, in 1e-9 m2/s.

    Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004), doi:10.1021/jp0477147, equation 12.
    """
    drag = 6 * np.pi * viscosity_mpa_s * 1e-3 * edge_angstrom * 1e-10
    return float(_XI * _BOLTZMANN_J_PER_K * temperature_k / drag * 1e9)


def velocity_spectrum(velocities: Array, interval_ps: float) -> tuple[Array, Array]:
    """Return frequencies ``[F]`` in THz and the spectrum ``[F]`` of the velocity autocorrelation in ps, of integral 1.

    A window of Hann keeps the ends of the series from leaking into all frequencies.

    :param velocities: ``[T, n, 3]`` at equal intervals, in any unit.
    """
    n_times = len(velocities)
    window = np.hanning(n_times)[:, None]
    power = np.zeros(n_times // 2 + 1)
    for axis in range(3):
        series = velocities[..., axis] - velocities[..., axis].mean(axis=1, keepdims=True)
        power += (np.abs(np.fft.rfft(series * window, axis=0)) ** 2).sum(axis=1)
    frequencies = np.fft.rfftfreq(n_times, interval_ps)
    return frequencies.astype(np.float64), power / float(np.trapezoid(power, frequencies))
