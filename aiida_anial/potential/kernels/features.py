"""The descriptor of one atom from its shells; formulas and symbols as in `aiida_anial.potential.descriptor`.

The lanes of a vector are angles, and triples follow one another: sums over triples stay in registers, and no lane is
idle for any number of neighbours. The cosines, sines and mixed exponentials of a row of triples (j, k > j) are computed
beforehand, with neighbours k in the lanes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

from aiida_anial.potential.kernels.elementary import exp2, log2
from aiida_anial.potential.kernels.machine import FEATURE_LANES, PAIR_LANES
from aiida_anial.potential.kernels.simd import fma, halves, load, splat, spread, sqrt, store, twice

__all__ = ('Numbers', 'Row', 'angular_features', 'geometry', 'pair_factors', 'radial_features')


class Numbers(NamedTuple):
    """The constants of a descriptor in the precision of the kernels.

    Arrays are padded to whole vectors of ``FEATURE_LANES``.

    :param radial_cutoff: angstrom.
    :param angular_cutoff: angstrom.
    :param radial_exponent: -eta log2(e), 1/angstrom^2; exponentials are to base 2.
    :param radial_slope: -2 eta, 1/angstrom^2.
    :param radial_shifts: angstrom; padding is far beyond the cutoff.
    :param angular_exponent: eta log2(e), 1/angstrom^2.
    :param angular_eta: 1/angstrom^2.
    :param angular_centre: the middle shift s_m, angstrom.
    :param angular_shifts: d = s - s_m, angstrom.
    :param zeta: exponent of the angular terms.
    :param power: zeta - 1.
    :param turn: guard zeta, a factor of derivatives by the cosine of an angle.
    :param cosines: cos(theta_z) / 2; padding is 0.
    :param sines: sin(theta_z) / 2; padding is 0.
    :param guard: 0.95, by which cosines are multiplied.
    :param half: 1/2 in this precision.
    :param root: square root of 2.
    :param n_radial: number of radial features.
    :param n_shifts: number of angular shifts.
    :param n_angles: number of angles.
    :param radial_room: length of ``radial_shifts``.
    :param shift_room: length of ``angular_shifts``.
    :param angle_room: length of ``cosines`` and ``sines``.
    """

    radial_cutoff: Any
    angular_cutoff: Any
    radial_exponent: Any
    radial_slope: Any
    radial_shifts: Any
    angular_exponent: Any
    angular_eta: Any
    angular_centre: Any
    angular_shifts: Any
    zeta: Any
    power: Any
    turn: Any
    cosines: Any
    sines: Any
    guard: Any
    half: Any
    root: Any
    n_radial: Any
    n_shifts: Any
    n_angles: Any
    radial_room: Any
    shift_room: Any
    angle_room: Any


class Row(NamedTuple):
    """Factors of the triples (j, k) of one j, with room for all K angular neighbours.

    :param cosine: ``[K]`` guarded cosine cos(theta) = 0.95 c.
    :param sine: ``[K]`` sin(theta).
    :param mixed: ``[K]`` exp(-eta x_j x_k / 2).
    :param pairs: ``[K, shift]`` sqrt(2) U of all neighbours.
    :param radial: ``[K, FEATURE_LANES]`` 2 E for some shifts.
    :param sums: ``[FEATURE_LANES^2]`` scratch.
    """

    cosine: Any
    sine: Any
    mixed: Any
    pairs: Any
    radial: Any
    sums: Any


@njit(forceinline=True)
def pair_factors(shell, n, c, pairs):
    """Write sqrt(2) U of ``n`` neighbours, ``[neighbour, shift]``."""
    width = c.shift_room
    for neighbour in range(n):
        x = shell.r[neighbour] - c.angular_centre
        factor = shell.cutoff[neighbour] * c.root
        for shift in range(0, width, FEATURE_LANES):
            d = load(c.angular_shifts, shift, FEATURE_LANES)
            # -x^2/4 + d x - d^2/2
            exponent = fma(d, splat(x, FEATURE_LANES) - d * c.half, splat(-x * x * c.half * c.half, FEATURE_LANES))
            store(exp2(exponent * c.angular_exponent) * factor, pairs, neighbour * width + shift)


@njit(forceinline=True)
def geometry(shell, j, k, c):
    """Return cos(theta), sin(theta) and exp(-eta x_j x_k / 2) of the triples of j and neighbours from k on."""
    one = c.half + c.half
    x, y, z = load(shell.x, k, PAIR_LANES), load(shell.y, k, PAIR_LANES), load(shell.z, k, PAIR_LANES)
    cosine = fma(x, splat(shell.x[j], PAIR_LANES), fma(y, splat(shell.y[j], PAIR_LANES), z * shell.z[j]))
    guarded = cosine * c.guard
    sine = sqrt(one - guarded * guarded)
    along = shell.r[j] - c.angular_centre
    mixed = exp2((load(shell.r, k, PAIR_LANES) - c.angular_centre) * (-c.half * c.angular_exponent * along))
    return guarded, sine, mixed


@njit(forceinline=True)
def _fill_row(shell, n, j, shift, c, row):
    """Write the factors of the triples (j, k > j), E for ``FEATURE_LANES`` shifts from ``shift`` on."""
    for k in range(j + 1, n, PAIR_LANES):
        guarded, sine, mixed = geometry(shell, j, k, c)
        store(guarded, row.cosine, k)
        store(sine, row.sine, k)
        store(mixed, row.mixed, k)
    width = c.shift_room
    own = load(row.pairs, j * width + shift, FEATURE_LANES)
    # Triples are processed in twos; the last one may need a partner, of weight 0.
    store(own - own, row.radial, n * FEATURE_LANES)
    for k in range(j + 1, n):
        store(own * load(row.pairs, k * width + shift, FEATURE_LANES) * row.mixed[k], row.radial, k * FEATURE_LANES)


@njit(forceinline=True)
def angular_features(shell, n, c, row, out, start, stride):
    """Write the angular features of an atom with ``n`` angular neighbours to ``out[start::stride]``.

    The sums for ``FEATURE_LANES`` shifts and ``FEATURE_LANES`` angles stay in eight registers.
    """
    half = twice(splat(c.half, FEATURE_LANES))
    width = c.shift_room
    for shift in range(0, width, FEATURE_LANES):
        for angle in range(0, c.angle_room, FEATURE_LANES):
            cosines = twice(load(c.cosines, angle, FEATURE_LANES))
            sines = twice(load(c.sines, angle, FEATURE_LANES))
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = splat(c.half - c.half, FEATURE_LANES)
            for j in range(n - 1):
                _fill_row(shell, n, j, shift, c, row)
                for k in range(j + 1, n, 2):
                    cosine, sine = spread(row.cosine, k, FEATURE_LANES), spread(row.sine, k, FEATURE_LANES)
                    base = fma(cosines, cosine, fma(sines, sine, half))
                    a, b = halves(exp2(log2(base) * c.zeta))
                    at = k * FEATURE_LANES
                    s0 = fma(splat(row.radial[at], FEATURE_LANES), a, s0)
                    s1 = fma(splat(row.radial[at + 1], FEATURE_LANES), a, s1)
                    s2 = fma(splat(row.radial[at + 2], FEATURE_LANES), a, s2)
                    s3 = fma(splat(row.radial[at + 3], FEATURE_LANES), a, s3)
                    s4 = fma(splat(row.radial[at + 4], FEATURE_LANES), a, s4)
                    s5 = fma(splat(row.radial[at + 5], FEATURE_LANES), a, s5)
                    s6 = fma(splat(row.radial[at + 6], FEATURE_LANES), a, s6)
                    s7 = fma(splat(row.radial[at + 7], FEATURE_LANES), a, s7)
                    s0 = fma(splat(row.radial[at + 8], FEATURE_LANES), b, s0)
                    s1 = fma(splat(row.radial[at + 9], FEATURE_LANES), b, s1)
                    s2 = fma(splat(row.radial[at + 10], FEATURE_LANES), b, s2)
                    s3 = fma(splat(row.radial[at + 11], FEATURE_LANES), b, s3)
                    s4 = fma(splat(row.radial[at + 12], FEATURE_LANES), b, s4)
                    s5 = fma(splat(row.radial[at + 13], FEATURE_LANES), b, s5)
                    s6 = fma(splat(row.radial[at + 14], FEATURE_LANES), b, s6)
                    s7 = fma(splat(row.radial[at + 15], FEATURE_LANES), b, s7)
            sums = row.sums
            store(s0, sums, 0)
            store(s1, sums, FEATURE_LANES)
            store(s2, sums, 2 * FEATURE_LANES)
            store(s3, sums, 3 * FEATURE_LANES)
            store(s4, sums, 4 * FEATURE_LANES)
            store(s5, sums, 5 * FEATURE_LANES)
            store(s6, sums, 6 * FEATURE_LANES)
            store(s7, sums, 7 * FEATURE_LANES)
            for s in range(shift, min(shift + FEATURE_LANES, c.n_shifts)):
                for z in range(angle, min(angle + FEATURE_LANES, c.n_angles)):
                    out[start + (s * c.n_angles + z) * stride] = sums[(s - shift) * FEATURE_LANES + z - angle]


@njit(forceinline=True)
def radial_features(shell, n, c, sums, out, start, stride):
    """Write the radial features of an atom with ``n`` radial neighbours to ``out[start::stride]``."""
    for shift in range(0, c.radial_room, FEATURE_LANES):
        shifts = load(c.radial_shifts, shift, FEATURE_LANES)
        features = shifts - shifts
        for neighbour in range(n):
            d = splat(shell.r[neighbour], FEATURE_LANES) - shifts
            features = fma(exp2(d * d * c.radial_exponent), splat(shell.cutoff[neighbour], FEATURE_LANES), features)
        store(features * (c.half * c.half), sums, 0)
        for s in range(shift, min(shift + FEATURE_LANES, c.n_radial)):
            out[start + s * stride] = sums[s - shift]
