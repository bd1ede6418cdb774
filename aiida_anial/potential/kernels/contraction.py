"""The feature gradients of a cell as a linear map, from derivatives by descriptors to those by positions and strains.

Eight members at a time are the lanes of vectors, so that the feature gradients, by far the largest arrays, are read
once for eight members.

Strains are in Voigt order: xx, yy, zz, yz, xz, xy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from aiida_anial.potential.kernels.machine import FINGERPRINT, compiled, flush_denormals, pointers, restore_denormals
from aiida_anial.potential.kernels.simd import fma, load, splat, store

__all__ = ('MEMBERS', 'FeatureGradientsBlock', 'Work', 'apply', 'transpose')

MEMBERS = 8
# float32 numbers in a cache line.
_LINE = 16


class FeatureGradientsBlock(NamedTuple):
    """`aiida_anial.potential.jacobian.FeatureGradients` as arrays, with their sizes; units are given there.

    :param n_atoms: number of atoms B.
    :param n_neighbours: neighbours of each atom, K.
    :param n_near: neighbours within the angular cutoff, L: the first ones.
    :param n_radial: radial features, S.
    :param n_angular: angular features, A.
    :param centres: ``[B]`` indices of the atoms, int64.
    :param neighbours: ``[B, K]`` indices of the neighbours, int64.
    :param vectors: ``[B, K, 3]`` from centre to neighbour.
    :param radial: ``[B, K, S]`` derivatives of the radial features by the distance, divided by the distance.
    :param angular: ``[B, L, 3, A]`` derivatives of the angular features by the vector.
    """

    n_atoms: Any
    n_neighbours: Any
    n_near: Any
    n_radial: Any
    n_angular: Any
    centres: Any
    neighbours: Any
    vectors: Any
    radial: Any
    angular: Any


class Work(NamedTuple):
    """Work arrays for up to eight members, which are the last axis.

    :param zero: ``[8]`` zeros.
    :param features: ``[S + A, 8]`` derivatives by the features of one atom.
    :param along: ``[K, 8]`` derivatives by the distances of its pairs: in ``apply`` divided by the distance, in
        ``transpose`` multiplied by it.
    :param by_pair: ``[L, 3, 8]`` derivatives by the vectors of its angular pairs.
    :param by_position: ``[n, 3, 8]`` derivatives by the positions of all atoms of the cell.
    :param by_strain: ``[6, 8]`` derivatives by the strains.
    """

    zero: Any
    features: Any
    along: Any
    by_pair: Any
    by_position: Any
    by_strain: Any

    @classmethod
    def zeros(cls, blocks: Sequence[FeatureGradientsBlock], n_atoms: int) -> Self:
        """Return work arrays for a cell, filled with zeros.

        :param n_atoms: number of atoms of the cell, n.
        """
        n_neighbours, n_near = max(block.n_neighbours for block in blocks), max(block.n_near for block in blocks)
        n_features, dtype = blocks[0].n_radial + blocks[0].n_angular, blocks[0].vectors.dtype
        shapes = ((), (n_features,), (n_neighbours,), (n_near, 3), (n_atoms, 3), (6,))
        return cls(*(np.zeros((*shape, MEMBERS), dtype) for shape in shapes))


@intrinsic
def _prefetch(typingctx: Any, pointer: Any, index: Any) -> Any:
    """Load the cache line of ``pointer[index]``, which may lie outside the array, into the level 2 cache."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, 'llvm.prefetch.p0i8')
        # Arguments: 0 for reading, 2 for the level 2 cache, 1 for data.
        builder.call(function, [place, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(pointer, types.intp), codegen


@njit(forceinline=True)
def _prefetch_all(array, start, n):
    """Load ``n`` numbers from index ``start`` on into the cache."""
    for at in range(start, start + n, _LINE):
        _prefetch(array, at)


@njit(forceinline=True)
def _gather(m, values, atom, w):
    """Copy the derivatives by the features of an atom to ``w.features``, where members are the last axis."""
    n_features = m.n_radial + m.n_angular
    for member in range(len(values)):
        for f in range(n_features):
            w.features[f * MEMBERS + member] = values[member, atom, f]


@njit(forceinline=True)
def _along(m, first, n, w):
    """Write dE/dr / r of ``n`` pairs, from pair ``first`` on, to ``w.along``, four pairs at a time."""
    width, last = m.n_radial, n - 1
    for p in range(0, n, 4):
        # If the number is not a multiple of four, the last pair is computed repeatedly.
        p1, p2, p3 = min(p + 1, last), min(p + 2, last), min(p + 3, last)
        a0, a1, a2, a3 = (first + p) * width, (first + p1) * width, (first + p2) * width, (first + p3) * width
        # Data of the next atom: loading them on demand would stall.
        _prefetch_all(m.radial, a0 + m.n_neighbours * width, 4 * width)
        v0 = v1 = v2 = v3 = load(w.zero, 0, MEMBERS)
        for f in range(width):
            g = load(w.features, f * MEMBERS, MEMBERS)
            v0 = fma(splat(m.radial[a0 + f], MEMBERS), g, v0)
            v1 = fma(splat(m.radial[a1 + f], MEMBERS), g, v1)
            v2 = fma(splat(m.radial[a2 + f], MEMBERS), g, v2)
            v3 = fma(splat(m.radial[a3 + f], MEMBERS), g, v3)
        store(v0, w.along, p * MEMBERS)
        store(v1, w.along, p1 * MEMBERS)
        store(v2, w.along, p2 * MEMBERS)
        store(v3, w.along, p3 * MEMBERS)


@njit(forceinline=True)
def _store_vector(v0, v1, v2, out, at):
    store(v0, out, at)
    store(v1, out, at + MEMBERS)
    store(v2, out, at + 2 * MEMBERS)


@njit(forceinline=True)
def _load_vector(values, at):
    return load(values, at, MEMBERS), load(values, at + MEMBERS, MEMBERS), load(values, at + 2 * MEMBERS, MEMBERS)


@njit(forceinline=True)
def _turned(m, first, n, w):
    """Write angular derivatives by the vectors of ``n`` pairs, from ``first`` on, to ``w.by_pair``, two at a time."""
    width, start = m.n_angular, m.n_radial * MEMBERS
    for q in range(0, n, 2):
        # If the number is odd, the last pair is computed twice.
        q1 = min(q + 1, n - 1)
        a, b = (first + q) * 3 * width, (first + q1) * 3 * width
        _prefetch_all(m.angular, a + 3 * m.n_near * width, 6 * width)
        v0 = v1 = v2 = v3 = v4 = v5 = load(w.zero, 0, MEMBERS)
        for f in range(width):
            g = load(w.features, start + f * MEMBERS, MEMBERS)
            v0 = fma(splat(m.angular[a + f], MEMBERS), g, v0)
            v1 = fma(splat(m.angular[a + f + width], MEMBERS), g, v1)
            v2 = fma(splat(m.angular[a + f + 2 * width], MEMBERS), g, v2)
            v3 = fma(splat(m.angular[b + f], MEMBERS), g, v3)
            v4 = fma(splat(m.angular[b + f + width], MEMBERS), g, v4)
            v5 = fma(splat(m.angular[b + f + 2 * width], MEMBERS), g, v5)
        _store_vector(v0, v1, v2, w.by_pair, 3 * MEMBERS * q)
        _store_vector(v3, v4, v5, w.by_pair, 3 * MEMBERS * q1)


@njit(forceinline=True)
def _scatter(m, row, w):
    """Add the derivatives by the vectors of the pairs of an atom to those by positions and strains."""
    own0 = own1 = own2 = load(w.zero, 0, MEMBERS)
    xx, yy, zz = _load_vector(w.by_strain, 0)
    yz, xz, xy = _load_vector(w.by_strain, 3 * MEMBERS)
    first = row * m.n_neighbours
    for p in range(m.n_neighbours):
        at = 3 * (first + p)
        x, y = splat(m.vectors[at], MEMBERS), splat(m.vectors[at + 1], MEMBERS)
        z, along = splat(m.vectors[at + 2], MEMBERS), load(w.along, p * MEMBERS, MEMBERS)
        v0, v1, v2 = along * x, along * y, along * z
        if p < m.n_near:
            t0, t1, t2 = _load_vector(w.by_pair, 3 * MEMBERS * p)
            v0, v1, v2 = v0 + t0, v1 + t1, v2 + t2
        own0, own1, own2 = own0 + v0, own1 + v1, own2 + v2
        at = 3 * MEMBERS * m.neighbours[first + p]
        d0, d1, d2 = _load_vector(w.by_position, at)
        _store_vector(d0 + v0, d1 + v1, d2 + v2, w.by_position, at)
        xx, yy, zz = fma(x, v0, xx), fma(y, v1, yy), fma(z, v2, zz)
        yz, xz, xy = fma(y, v2, yz), fma(x, v2, xz), fma(x, v1, xy)
    at = 3 * MEMBERS * m.centres[row]
    d0, d1, d2 = _load_vector(w.by_position, at)
    _store_vector(d0 - own0, d1 - own1, d2 - own2, w.by_position, at)
    _store_vector(xx, yy, zz, w.by_strain, 0)
    _store_vector(yz, xz, xy, w.by_strain, 3 * MEMBERS)


@njit(forceinline=True)
def _differences(m, row, w):
    """Apply the transpose of ``_scatter``: from positions and strains to the vectors of the pairs of an atom."""
    own0, own1, own2 = _load_vector(w.by_position, 3 * MEMBERS * m.centres[row])
    xx, yy, zz = _load_vector(w.by_strain, 0)
    yz, xz, xy = _load_vector(w.by_strain, 3 * MEMBERS)
    first = row * m.n_neighbours
    for p in range(m.n_neighbours):
        at = 3 * (first + p)
        x, y = splat(m.vectors[at], MEMBERS), splat(m.vectors[at + 1], MEMBERS)
        z = splat(m.vectors[at + 2], MEMBERS)
        v0, v1, v2 = _load_vector(w.by_position, 3 * MEMBERS * m.neighbours[first + p])
        v0 = fma(xx, x, v0 - own0)
        v1 = fma(yy, y, fma(xy, x, v1 - own1))
        v2 = fma(zz, z, fma(yz, y, fma(xz, x, v2 - own2)))
        store(fma(v0, x, fma(v1, y, v2 * z)), w.along, p * MEMBERS)
        if p < m.n_near:
            _store_vector(v0, v1, v2, w.by_pair, 3 * MEMBERS * p)


@njit(forceinline=True)
def _sum_rows(matrix, start, n_rows, width, rows, w, feature):
    """Write ``matrix`` ``[n_rows, width]`` transposed times ``rows`` ``[n_rows, MEMBERS]`` to ``w.features``."""
    for f in range(0, width - 7, 8):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = load(w.zero, 0, MEMBERS)
        for row in range(n_rows):
            v, a = load(rows, row * MEMBERS, MEMBERS), start + row * width + f
            if f % _LINE == 0:
                _prefetch(matrix, a + n_rows * width)
            s0, s1 = fma(splat(matrix[a], MEMBERS), v, s0), fma(splat(matrix[a + 1], MEMBERS), v, s1)
            s2, s3 = fma(splat(matrix[a + 2], MEMBERS), v, s2), fma(splat(matrix[a + 3], MEMBERS), v, s3)
            s4, s5 = fma(splat(matrix[a + 4], MEMBERS), v, s4), fma(splat(matrix[a + 5], MEMBERS), v, s5)
            s6, s7 = fma(splat(matrix[a + 6], MEMBERS), v, s6), fma(splat(matrix[a + 7], MEMBERS), v, s7)
        at = (feature + f) * MEMBERS
        store(s0, w.features, at)
        store(s1, w.features, at + MEMBERS)
        store(s2, w.features, at + 2 * MEMBERS)
        store(s3, w.features, at + 3 * MEMBERS)
        store(s4, w.features, at + 4 * MEMBERS)
        store(s5, w.features, at + 5 * MEMBERS)
        store(s6, w.features, at + 6 * MEMBERS)
        store(s7, w.features, at + 7 * MEMBERS)
    for f in range(width // 8 * 8, width):
        s = load(w.zero, 0, MEMBERS)
        for row in range(n_rows):
            s = fma(splat(matrix[start + row * width + f], MEMBERS), load(rows, row * MEMBERS, MEMBERS), s)
        store(s, w.features, (feature + f) * MEMBERS)


def _compiled(fingerprint: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return ``apply`` and ``transpose``, compiled; ``fingerprint`` selects the code in the cache."""

    @compiled
    def apply(block, gradients, work):
        """Add the derivatives of up to eight energies by positions and strains to ``work``.

        :param block: feature gradients of some atoms.
        :param gradients: ``[M, n, S + A]`` derivatives by the descriptors of all atoms of the cell.
        :param work: work arrays; ``by_position`` and ``by_strain`` hold the sums.
        """
        _ = fingerprint
        before = flush_denormals()
        m, w = pointers(block), pointers(work)
        for row in range(m.n_atoms):
            _gather(m, gradients, m.centres[row], w)
            _along(m, row * m.n_neighbours, m.n_neighbours, w)
            _turned(m, row * m.n_near, m.n_near, w)
            _scatter(m, row, w)
        restore_denormals(before)

    @compiled
    def transpose(block, work, gradients):
        """Write the transpose of ``apply``, of ``by_position`` and ``by_strain`` in ``work``, to ``gradients``."""
        _ = fingerprint
        before = flush_denormals()
        m, w = pointers(block), pointers(work)
        for row in range(m.n_atoms):
            _differences(m, row, w)
            start = row * m.n_neighbours * m.n_radial
            _sum_rows(m.radial, start, m.n_neighbours, m.n_radial, w.along, w, 0)
            start = row * m.n_near * 3 * m.n_angular
            _sum_rows(m.angular, start, 3 * m.n_near, m.n_angular, w.by_pair, w, m.n_radial)
            for member in range(len(gradients)):
                for f in range(m.n_radial + m.n_angular):
                    gradients[member, m.centres[row], f] = w.features[f * MEMBERS + member]
        restore_denormals(before)

    return apply, transpose


apply, transpose = _compiled(FINGERPRINT)
