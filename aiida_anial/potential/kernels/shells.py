"""The neighbours of one atom within the two cutoffs, selected from a list that also holds those in the skin."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from aiida_anial.potential.kernels.elementary import sine_of_quarters
from aiida_anial.potential.kernels.machine import PAIR_LANES
from aiida_anial.potential.kernels.simd import fma, load, maximum, splat, sqrt, store

__all__ = ('Lists', 'Shell', 'gather', 'prepare', 'read_float', 'read_int')


class Lists(NamedTuple):
    """Addresses ``[C]`` of the arrays of the neighbour list of each cell; see `NeighbourList` for the arrays."""

    starts: Any
    neighbour: Any
    shift_vectors: Any


class Shell(NamedTuple):
    """Neighbours within one cutoff; each array has room for two vectors more than the most neighbours.

    :param x: x components of the vectors from the centre, angstrom, later of unit vectors; likewise ``y`` and ``z``.
    :param r: distances, angstrom.
    :param inverse: 1 / distances.
    :param cutoff: f_c.
    :param log_slope: f_c' / f_c, 1/angstrom.
    :param index: in the angular shell the index of a neighbour in the radial one, in the radial shell its pair in the
        list.
    """

    x: Any
    y: Any
    z: Any
    r: Any
    inverse: Any
    cutoff: Any
    log_slope: Any
    index: Any


def _reader(kind: Any, bits: Any) -> Any:
    """Return an intrinsic that reads element ``index`` of the array at ``address``."""

    @intrinsic
    def read(typingctx: Any, address: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first = builder.inttoptr(arguments[0], bits.as_pointer())
            return builder.load(builder.gep(first, [arguments[1]]))

        return kind(types.int64, types.int64), codegen

    return read


read_int = _reader(types.int64, ir.IntType(64))
read_float = _reader(types.float64, ir.DoubleType())


@njit(forceinline=True)
def gather(batch, cell, atom, first_atom, c, radial, angular):
    """Write the vectors to the neighbours of an atom into its shells, and return the sizes of both.

    :param batch: the cells.
    :param cell: index of the cell of the atom.
    :param atom: index of the atom in its cell.
    :param first_atom: first atom of the cell.
    :param c: the constants of the descriptor.
    """
    lists, positions = batch.lists, batch.positions
    centre = first_atom + atom
    x, y, z = positions[3 * centre], positions[3 * centre + 1], positions[3 * centre + 2]
    radial_square, angular_square = c.radial_cutoff * c.radial_cutoff, c.angular_cutoff * c.angular_cutoff
    n_radial = n_angular = 0
    starts, neighbours, shifts = lists.starts[cell], lists.neighbour[cell], lists.shift_vectors[cell]
    for pair in range(read_int(starts, atom), read_int(starts, atom + 1)):
        neighbour = 3 * (first_atom + read_int(neighbours, pair))
        dx = positions[neighbour] - x + read_float(shifts, 3 * pair)
        dy = positions[neighbour + 1] - y + read_float(shifts, 3 * pair + 1)
        dz = positions[neighbour + 2] - z + read_float(shifts, 3 * pair + 2)
        square = dx * dx + dy * dy + dz * dz
        if square == 0:
            # The energy of two atoms at one position is not a number.
            dx = dy = dz = math.nan
        if square < radial_square:
            radial.x[n_radial], radial.y[n_radial], radial.z[n_radial] = dx, dy, dz
            radial.index[n_radial] = pair
            if square < angular_square:
                angular.x[n_angular], angular.y[n_angular], angular.z[n_angular] = dx, dy, dz
                angular.index[n_angular] = n_radial
                n_angular += 1
            n_radial += 1
    return n_radial, n_angular


@njit(forceinline=True)
def prepare(shell, n, cutoff):
    """Compute distances, directions and cutoffs of ``n`` neighbours; padding has f_c = 0."""
    for filling in range(n, n + 2 * PAIR_LANES):
        shell.x[filling], shell.y[filling], shell.z[filling] = cutoff, 0, 0
    one = cutoff / cutoff
    zero, tiny = splat(one - one, PAIR_LANES), splat(type(cutoff)(1e-12), PAIR_LANES)
    for at in range(0, n + PAIR_LANES, PAIR_LANES):
        x, y, z = load(shell.x, at, PAIR_LANES), load(shell.y, at, PAIR_LANES), load(shell.z, at, PAIR_LANES)
        r = sqrt(fma(x, x, fma(y, y, z * z)))
        inverse = one / r
        store(x * inverse, shell.x, at)
        store(y * inverse, shell.y, at)
        store(z * inverse, shell.z, at)
        store(r, shell.r, at)
        store(inverse, shell.inverse, at)
        share = r * (one / cutoff)
        cosine = sine_of_quarters(maximum(one - share, zero))
        store(cosine * cosine, shell.cutoff, at)
        # A neighbour within rounding of the cutoff has f_c = 0 and must not have an infinite slope.
        slope = sine_of_quarters(share) / maximum(cosine, tiny) * (-math.pi / cutoff)
        store(slope, shell.log_slope, at)
    for filling in range(n, n + PAIR_LANES):
        shell.cutoff[filling] = 0
