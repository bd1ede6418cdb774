"""The derivatives of the descriptor of one atom by the vectors to its neighbours.

Formulas and symbols are as in `aiida_anial.potential.descriptor`, except that the factor 2 of A is moved to E. For each
feature, the derivative by the vector to neighbour j needs four sums over k:

- sum_k E A and sum_k x_k E A for the derivative by r_j, which is E A times f_c'/f_c - eta (x_j + x_k) / 2 + eta d,
- sum_k E A' u_k and sum_k E A' c for the angular part, (sum_k E A' u_k - u_j sum_k E A' c) / r_j.

The lanes of a vector are angles, as in `features`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numba import njit

from aiida_anial.potential.kernels.elementary import exp2, log2
from aiida_anial.potential.kernels.features import geometry, pair_factors
from aiida_anial.potential.kernels.machine import (
    FEATURE_LANES,
    FINGERPRINT,
    PAIR_LANES,
    compiled,
    flush_denormals,
    pointers,
    restore_denormals,
)
from aiida_anial.potential.kernels.shells import gather, prepare, read_int
from aiida_anial.potential.kernels.simd import fma, load, splat, store

__all__ = ('FeatureGradientArrays', 'JacobianScratch', 'fill_feature_gradients')


class FeatureGradientArrays(NamedTuple):
    """Results for B atoms, with room for K radial and L angular neighbours of each; initially 0.

    :param atoms: ``[B]`` indices of the atoms.
    :param room: K.
    :param angular_room: L.
    :param values: ``[n, F]`` descriptors of all atoms of the cell.
    :param neighbours: ``[B, K]`` indices of the neighbours, those within the angular cutoff first.
    :param vectors: ``[B, K, 3]`` from centre to neighbour, angstrom.
    :param radial: ``[B, K, S]`` derivatives of the radial features by the distance, divided by the distance,
        1/angstrom^2.
    :param angular: ``[B, L, 3, A]`` derivatives of the angular features by the vector, 1/angstrom.
    """

    atoms: Any
    room: Any
    angular_room: Any
    values: Any
    neighbours: Any
    vectors: Any
    radial: Any
    angular: Any


class JacobianScratch(NamedTuple):
    """Work arrays for one atom with up to K neighbours (with room for whole vectors).

    :param radial: radial shell.
    :param angular: angular shell.
    :param row: factors of the triples of one j.
    :param powers: ``[K, FEATURE_LANES]`` A = b^zeta for some angles.
    :param derivatives: ``[K, FEATURE_LANES]`` A', its derivative by the cosine c.
    :param place: ``[K]`` index of each radial neighbour in the results.
    :param lanes: ``[4, FEATURE_LANES]`` derivatives of some features by x, y and z, and the share in the features.
    """

    radial: Any
    angular: Any
    row: Any
    powers: Any
    derivatives: Any
    place: Any
    lanes: Any


@njit(forceinline=True)
def _order(n_radial, n_angular, scratch):
    """Number the neighbours, angular ones first."""
    for k in range(n_radial):
        scratch.place[k] = -1
    for k in range(n_angular):
        scratch.place[scratch.angular.index[k]] = k
    free = n_angular
    for k in range(n_radial):
        if scratch.place[k] < 0:
            scratch.place[k] = free
            free += 1


@njit(forceinline=True)
def _radial_gradients(row, atom, n, batch, c, out, scratch):
    """Write the neighbours of an atom, the vectors to them, the radial features and their derivatives."""
    shell, quarter = scratch.radial, c.half * c.half
    n_features = c.n_radial + c.n_shifts * c.n_angles
    for k in range(n):
        at = row * out.room + scratch.place[k]
        out.neighbours[at] = read_int(batch.lists.neighbour[0], shell.index[k])
        out.vectors[3 * at] = shell.x[k] * shell.r[k]
        out.vectors[3 * at + 1] = shell.y[k] * shell.r[k]
        out.vectors[3 * at + 2] = shell.z[k] * shell.r[k]
        for shift in range(0, c.radial_room, FEATURE_LANES):
            d = splat(shell.r[k], FEATURE_LANES) - load(c.radial_shifts, shift, FEATURE_LANES)
            term = exp2(d * d * c.radial_exponent) * (shell.cutoff[k] * quarter)
            slope = fma(d, splat(c.radial_slope, FEATURE_LANES), splat(shell.log_slope[k], FEATURE_LANES))
            store(term, scratch.lanes, 0)
            store(term * slope * shell.inverse[k], scratch.lanes, FEATURE_LANES)
            for s in range(shift, min(shift + FEATURE_LANES, c.n_radial)):
                out.values[atom * n_features + s] += scratch.lanes[s - shift]
                out.radial[at * c.n_radial + s] = scratch.lanes[FEATURE_LANES + s - shift]


@njit(forceinline=True)
def _fill(j, n, angle, c, scratch):
    """Write A and A' of the triples of j and all k for ``FEATURE_LANES`` angles from ``angle`` on."""
    row = scratch.row
    cosines, sines = load(c.cosines, angle, FEATURE_LANES), load(c.sines, angle, FEATURE_LANES)
    half = splat(c.half, FEATURE_LANES)
    for k in range(n):
        cosine, sine = splat(row.cosine[k], FEATURE_LANES), splat(row.sine[k], FEATURE_LANES)
        base = fma(cosines, cosine, fma(sines, sine, half))
        power = exp2(log2(base) * c.power)
        store(power * base, scratch.powers, k * FEATURE_LANES)
        store(power * (cosines - sines * (cosine / sine)) * c.turn, scratch.derivatives, k * FEATURE_LANES)


@njit(forceinline=True)
def _feature(j, n, shift, c, scratch):
    """Write the derivatives of some features of one shift by the vector to j, and the share of j in the features."""
    shell, row = scratch.angular, scratch.row
    own = row.pairs[j * c.shift_room + shift]
    amount = splat(c.half - c.half, FEATURE_LANES)
    moment, x, y, z, cosine = amount, amount, amount, amount, amount
    for k in range(n):
        e = splat(row.pairs[k * c.shift_room + shift] * row.mixed[k] * own, FEATURE_LANES)
        a, slope = (
            e * load(scratch.powers, k * FEATURE_LANES, FEATURE_LANES),
            e * load(scratch.derivatives, k * FEATURE_LANES, FEATURE_LANES),
        )
        amount = amount + a
        moment = fma(a, splat(shell.r[k] - c.angular_centre, FEATURE_LANES), moment)
        x = fma(slope, splat(shell.x[k], FEATURE_LANES), x)
        y = fma(slope, splat(shell.y[k], FEATURE_LANES), y)
        z = fma(slope, splat(shell.z[k], FEATURE_LANES), z)
        cosine = fma(slope, splat(row.cosine[k] / c.guard, FEATURE_LANES), cosine)
    along_j = shell.log_slope[j] - c.angular_eta * (c.half * (shell.r[j] - c.angular_centre) - c.angular_shifts[shift])
    along = amount * along_j - moment * (c.half * c.angular_eta) - cosine * shell.inverse[j]
    store(fma(along, splat(shell.x[j], FEATURE_LANES), x * shell.inverse[j]), scratch.lanes, 0)
    store(fma(along, splat(shell.y[j], FEATURE_LANES), y * shell.inverse[j]), scratch.lanes, FEATURE_LANES)
    store(fma(along, splat(shell.z[j], FEATURE_LANES), z * shell.inverse[j]), scratch.lanes, 2 * FEATURE_LANES)
    # Every triple is visited twice, once for each of its neighbours.
    store(amount * c.half, scratch.lanes, 3 * FEATURE_LANES)


@njit(forceinline=True)
def _angular_gradients(row, atom, n, c, out, scratch):
    """Write the angular features of an atom and their derivatives."""
    shell = scratch.angular
    n_angular = c.n_shifts * c.n_angles
    for j in range(n):
        for k in range(0, n, PAIR_LANES):
            guarded, sine, mixed = geometry(shell, j, k, c)
            store(guarded, scratch.row.cosine, k)
            store(sine, scratch.row.sine, k)
            store(mixed, scratch.row.mixed, k)
        # There is no triple of j with itself.
        scratch.row.mixed[j] = 0
        for angle in range(0, c.angle_room, FEATURE_LANES):
            _fill(j, n, angle, c, scratch)
            for shift in range(c.n_shifts):
                _feature(j, n, shift, c, scratch)
                for z in range(angle, min(angle + FEATURE_LANES, c.n_angles)):
                    feature, lane = shift * c.n_angles + z, z - angle
                    out.values[atom * (c.n_radial + n_angular) + c.n_radial + feature] += scratch.lanes[
                        3 * FEATURE_LANES + lane
                    ]
                    at = (row * out.angular_room + j) * 3 * n_angular + feature
                    for i in range(3):
                        out.angular[at + i * n_angular] = scratch.lanes[i * FEATURE_LANES + lane]


def _compiled(fingerprint: int) -> Callable[..., None]:
    """Return ``fill_feature_gradients``, compiled; ``fingerprint`` selects the code in the cache."""

    @compiled
    def fill_feature_gradients(batch, c, out, n_atoms, scratch):
        """Write the feature gradients of some atoms of a cell.

        :param batch: a batch of this one cell.
        :param c: the constants of the descriptor.
        :param out: written.
        :param n_atoms: number of atoms B.
        :param scratch: work arrays.
        """
        _ = fingerprint
        before = flush_denormals()
        batch, c, out, scratch = pointers(batch), pointers(c), pointers(out), pointers(scratch)
        for row in range(n_atoms):
            atom = out.atoms[row]
            n_radial, n_angular = gather(batch, 0, atom, 0, c, scratch.radial, scratch.angular)
            prepare(scratch.radial, n_radial, c.radial_cutoff)
            prepare(scratch.angular, n_angular, c.angular_cutoff)
            pair_factors(scratch.angular, n_angular, c, scratch.row.pairs)
            _order(n_radial, n_angular, scratch)
            _radial_gradients(row, atom, n_radial, batch, c, out, scratch)
            _angular_gradients(row, atom, n_angular, c, out, scratch)
        restore_denormals(before)

    return fill_feature_gradients


fill_feature_gradients = _compiled(FINGERPRINT)
