"""The chain rule from descriptors to the vectors of pairs; formulas as in `aiida_anial.potential.descriptor`.

The lanes of a vector are neighbours k: the triples (j, k) of one j add their derivatives by the vector to k in place,
and those by the vector to j as a sum over lanes. Quantities that depend on the geometry only are computed once for the
gradients of all members.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

from aiida_anial.potential.kernels.elementary import exp2, log2
from aiida_anial.potential.kernels.features import geometry
from aiida_anial.potential.kernels.machine import FEATURE_LANES, PAIR_LANES
from aiida_anial.potential.kernels.simd import fma, load, splat, store, total

__all__ = ('Work', 'angular_pair_gradients', 'radial_pair_gradients')


class Work(NamedTuple):
    """Work arrays of the chain rule of one atom with B gradients and up to K neighbours (with room for whole vectors).

    :param by_pair: ``[shift, K]`` sqrt(2) U.
    :param by_triple: ``[B, 2, angle, shift]`` the gradients by the features, and the same times d.
    :param by_row: ``[B, 2, angle, shift]`` the same times sqrt(2) U of one j.
    :param angular: ``[angle, PAIR_LANES]`` A / 2 of some triples.
    :param power: ``[angle, PAIR_LANES]`` b^(zeta - 1) of the same triples.
    :param radial: ``[shift, PAIR_LANES]`` radial terms of some neighbours.
    :param along: ``[B, K]`` derivatives by the distances.
    :param x: ``[B, K]`` x components of the sums of S u over the other neighbours of the triples, in the end of the
        derivatives by the vectors; likewise ``y`` and ``z``.
    """

    by_pair: Any
    by_triple: Any
    by_row: Any
    angular: Any
    power: Any
    radial: Any
    along: Any
    x: Any
    y: Any
    z: Any


@njit(forceinline=True)
def _arrange(gradients, start, stride, n_gradients, c, work):
    """Write the angular part of all gradients to ``work.by_triple``; they begin at ``start``, ``stride`` apart."""
    width = c.shift_room
    size = c.n_angles * width
    for b in range(n_gradients):
        for angle in range(c.n_angles):
            for shift in range(c.n_shifts):
                at = 2 * b * size + angle * width + shift
                value = gradients[start + b * stride + c.n_radial + shift * c.n_angles + angle]
                work.by_triple[at] = value
                work.by_triple[at + size] = value * c.angular_shifts[shift]


@njit(forceinline=True)
def _transpose(pairs, n, width, out, stride):
    """Write ``pairs`` ``[neighbour, shift]`` as ``[shift, stride]``, with zeros where there is no neighbour."""
    for shift in range(width):
        for neighbour in range(n):
            out[shift * stride + neighbour] = pairs[neighbour * width + shift]
        for filling in range(n, n + PAIR_LANES):
            out[shift * stride + filling] = 0


@njit(forceinline=True)
def _powers(guarded, sine, c, work):
    """Write b^(zeta - 1) and b^zeta = A / 2 of ``PAIR_LANES`` triples for all angles."""
    half = splat(c.half, PAIR_LANES)
    for angle in range(c.n_angles):
        base = fma(guarded, splat(c.cosines[angle], PAIR_LANES), fma(sine, splat(c.sines[angle], PAIR_LANES), half))
        power = exp2(log2(base) * c.power)
        store(power, work.power, angle * PAIR_LANES)
        store(power * base, work.angular, angle * PAIR_LANES)


@njit(forceinline=True)
def _sums(first, k, stride, c, work):
    """Return the sums over features of g E A, g E A d, g E b' cos / 2 and g E b' sin / 2, for triples from k on.

    Here E lacks its factor exp(-eta x_j x_k / 2), and b' is b^(zeta - 1). The gradient begins at ``first`` in
    ``by_row``.
    """
    width = c.shift_room
    size = c.n_angles * width
    p = splat(c.half - c.half, PAIR_LANES)
    q, along_cosine, along_sine = p, p, p
    for shift in range(0, width, FEATURE_LANES):
        at = shift * stride + k
        u0, u1 = load(work.by_pair, at, PAIR_LANES), load(work.by_pair, at + stride, PAIR_LANES)
        u2, u3 = load(work.by_pair, at + 2 * stride, PAIR_LANES), load(work.by_pair, at + 3 * stride, PAIR_LANES)
        u4, u5 = load(work.by_pair, at + 4 * stride, PAIR_LANES), load(work.by_pair, at + 5 * stride, PAIR_LANES)
        u6, u7 = load(work.by_pair, at + 6 * stride, PAIR_LANES), load(work.by_pair, at + 7 * stride, PAIR_LANES)
        for angle in range(c.n_angles):
            g = first + angle * width + shift
            d = g + size
            t, s = u0 * work.by_row[g], u0 * work.by_row[d]
            t, s = fma(u1, splat(work.by_row[g + 1], PAIR_LANES), t), fma(u1, splat(work.by_row[d + 1], PAIR_LANES), s)
            t, s = fma(u2, splat(work.by_row[g + 2], PAIR_LANES), t), fma(u2, splat(work.by_row[d + 2], PAIR_LANES), s)
            t, s = fma(u3, splat(work.by_row[g + 3], PAIR_LANES), t), fma(u3, splat(work.by_row[d + 3], PAIR_LANES), s)
            t, s = fma(u4, splat(work.by_row[g + 4], PAIR_LANES), t), fma(u4, splat(work.by_row[d + 4], PAIR_LANES), s)
            t, s = fma(u5, splat(work.by_row[g + 5], PAIR_LANES), t), fma(u5, splat(work.by_row[d + 5], PAIR_LANES), s)
            t, s = fma(u6, splat(work.by_row[g + 6], PAIR_LANES), t), fma(u6, splat(work.by_row[d + 6], PAIR_LANES), s)
            t, s = fma(u7, splat(work.by_row[g + 7], PAIR_LANES), t), fma(u7, splat(work.by_row[d + 7], PAIR_LANES), s)
            angular = load(work.angular, angle * PAIR_LANES, PAIR_LANES)
            p, q = fma(angular, t, p), fma(angular, s, q)
            turned = load(work.power, angle * PAIR_LANES, PAIR_LANES) * t
            along_cosine = fma(turned, splat(c.cosines[angle], PAIR_LANES), along_cosine)
            along_sine = fma(turned, splat(c.sines[angle], PAIR_LANES), along_sine)
    return p, q, along_cosine, along_sine


@njit(forceinline=True)
def _row(shell, n, j, n_gradients, stride, c, work):
    """Add the derivatives of the triples (j, k > j) to ``along``, ``x``, ``y`` and ``z``."""
    size = 2 * c.n_angles * c.shift_room
    for k in range(j + 1, n, PAIR_LANES):
        guarded, sine, mixed = geometry(shell, j, k, c)
        _powers(guarded, sine, c, work)
        middle = (load(shell.r, k, PAIR_LANES) + (shell.r[j] - c.angular_centre - c.angular_centre)) * c.half
        log_slope = load(shell.log_slope, k, PAIR_LANES)
        cotangent = guarded / sine
        x, y, z = load(shell.x, k, PAIR_LANES), load(shell.y, k, PAIR_LANES), load(shell.z, k, PAIR_LANES)
        for b in range(n_gradients):
            p, q, along_cosine, along_sine = _sums(b * size, k, stride, c, work)
            p, q = p * mixed, q * mixed
            radial = (q - middle * p) * c.angular_eta
            turn = (along_cosine - cotangent * along_sine) * mixed * c.turn
            at, of_j = b * stride + k, b * stride + j
            store(load(work.along, at, PAIR_LANES) + fma(p, log_slope, radial), work.along, at)
            store(fma(turn, splat(shell.x[j], PAIR_LANES), load(work.x, at, PAIR_LANES)), work.x, at)
            store(fma(turn, splat(shell.y[j], PAIR_LANES), load(work.y, at, PAIR_LANES)), work.y, at)
            store(fma(turn, splat(shell.z[j], PAIR_LANES), load(work.z, at, PAIR_LANES)), work.z, at)
            work.along[of_j] += total(fma(p, splat(shell.log_slope[j], PAIR_LANES), radial))
            work.x[of_j] += total(turn * x)
            work.y[of_j] += total(turn * y)
            work.z[of_j] += total(turn * z)


@njit(forceinline=True)
def angular_pair_gradients(n, gradients, start, gradient_stride, n_gradients, c, scratch):
    """Write the derivatives by the vectors to ``n`` angular neighbours into ``x``, ``y``, ``z`` of the work arrays.

    :param gradients: derivatives by the features; they begin at ``start``, ``gradient_stride`` apart.
    """
    shell, pairs, stride, work = scratch.angular, scratch.row.pairs, scratch.room, scratch.work
    width = c.shift_room
    _arrange(gradients, start, gradient_stride, n_gradients, c, work)
    _transpose(pairs, n, width, work.by_pair, stride)
    for b in range(n_gradients):
        for at in range(b * stride, b * stride + n + PAIR_LANES):
            work.along[at], work.x[at], work.y[at], work.z[at] = 0, 0, 0, 0
    for j in range(n - 1):
        for line in range(2 * n_gradients * c.n_angles):
            for shift in range(0, width, FEATURE_LANES):
                at = line * width + shift
                own = load(pairs, j * width + shift, FEATURE_LANES)
                store(load(work.by_triple, at, FEATURE_LANES) * own, work.by_row, at)
        _row(shell, n, j, n_gradients, stride, c, work)
    for b in range(n_gradients):
        for k in range(0, n, PAIR_LANES):
            at = b * stride + k
            x, y, z = load(shell.x, k, PAIR_LANES), load(shell.y, k, PAIR_LANES), load(shell.z, k, PAIR_LANES)
            v, w = load(work.x, at, PAIR_LANES), load(work.y, at, PAIR_LANES)
            u, inverse = load(work.z, at, PAIR_LANES), load(shell.inverse, k, PAIR_LANES)
            # The component of the sum of S u along the vector is removed; the rest is divided by the distance.
            along = load(work.along, at, PAIR_LANES) - fma(v, x, fma(w, y, u * z)) * inverse
            store(fma(along, x, v * inverse), work.x, at)
            store(fma(along, y, w * inverse), work.y, at)
            store(fma(along, z, u * inverse), work.z, at)


@njit(forceinline=True)
def radial_pair_gradients(n, gradients, start, gradient_stride, n_gradients, c, scratch):
    """Write the radial derivatives by the distances of ``n`` neighbours into ``along`` of the work arrays."""
    shell, stride, work = scratch.radial, scratch.room, scratch.work
    for k in range(0, n, PAIR_LANES):
        r, log_slope = load(shell.r, k, PAIR_LANES), load(shell.log_slope, k, PAIR_LANES)
        quarter = load(shell.cutoff, k, PAIR_LANES) * (c.half * c.half)
        for shift in range(c.n_radial):
            d = r - c.radial_shifts[shift]
            store(exp2(d * d * c.radial_exponent) * quarter, work.radial, shift * PAIR_LANES)
        for b in range(n_gradients):
            constant = quarter - quarter
            linear = constant
            for shift in range(c.n_radial):
                gradient = gradients[start + b * gradient_stride + shift]
                term = load(work.radial, shift * PAIR_LANES, PAIR_LANES) * gradient
                constant = constant + term
                linear = fma(term, r - c.radial_shifts[shift], linear)
            store(fma(constant, log_slope, linear * c.radial_slope), work.along, b * stride + k)
