"""The networks of one member on ``LANES`` atoms side by side, and the gradients of their energies.

Every layer is divided into tiles of ``TILE`` outputs, which stay in registers while they are computed: an input of all
lanes is loaded once for ``TILE`` products, and each weight is read once. The result of an atom is bitwise the same in
any lane.

Layouts (M members, layer l with ``widths[l]`` inputs and ``widths[l + 1]`` outputs, padded to whole tiles):

- ``forward``: per member and layer ``[tile of outputs, input, TILE]``,
- ``backward``: per member and layer ``[tile of inputs, output, TILE]``, the same weights transposed,
- activations, slopes and derivatives: ``[neuron, LANES]``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from aiida_anial.potential.kernels.elementary import exp2
from aiida_anial.potential.kernels.machine import LANES, TILE
from aiida_anial.potential.kernels.simd import (
    Vector,
    broadcast,
    call,
    fma,
    llvm_type,
    load,
    load_vector,
    maximum,
    splat,
    store,
    store_vector,
)

__all__ = ('Networks', 'network')


class Networks(NamedTuple):
    """The weights of all members.

    :param n_members: number of members M.
    :param n_hidden: number of hidden layers H.
    :param widths: ``[H + 1]`` inputs of each hidden layer, then the outputs of the last one; padded.
    :param forward: see the layouts above; flat, one member after another.
    :param backward: see the layouts above; flat, one member after another.
    :param biases: per member and hidden layer ``[output]``, flat.
    :param last_weights: per member ``[widths[H]]`` weights of the linear layer, eV, flat.
    :param last_biases: ``[M]`` biases of the linear layer, eV.
    :param alpha: alpha of the CELU activation.
    :param slope_exponent: log2(e) / alpha.
    """

    n_members: Any
    n_hidden: Any
    widths: Any
    forward: Any
    backward: Any
    biases: Any
    last_weights: Any
    last_biases: Any
    alpha: Any
    slope_exponent: Any


@intrinsic
def _accumulate_tile(
    typingctx: Any, weights: Any, w: Any, inputs: Any, x: Any, n_inputs: Any, outputs: Any, y: Any
) -> Any:
    """Add to ``TILE`` outputs (at ``y``) the products of ``n_inputs`` inputs (at ``x``) with the weights at ``w``."""
    vector = Vector(weights.dtype, LANES)
    kind = llvm_type(vector)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        w_array, w, x_array, x, n_inputs, y_array, y = arguments
        first_w = builder.gep(w_array, [w])
        first_x = builder.gep(x_array, [x])
        first_y = builder.gep(y_array, [y])

        def at(pointer: Any, index: Any) -> Any:
            return builder.gep(pointer, [index])

        def constant(value: int) -> Any:
            return ir.Constant(ir.IntType(64), value)

        sums = [cgutils.alloca_once(builder, kind) for _ in range(TILE)]
        places = [builder.bitcast(at(first_y, constant(t * LANES)), kind.as_pointer()) for t in range(TILE)]
        for total, place in zip(sums, places, strict=True):
            builder.store(load_vector(builder, place, vector), total)
        with cgutils.for_range(builder, n_inputs) as loop:
            row = at(first_x, builder.mul(loop.index, constant(LANES)))
            value = load_vector(builder, builder.bitcast(row, kind.as_pointer()), vector)
            column = at(first_w, builder.mul(loop.index, constant(TILE)))
            for t, total in enumerate(sums):
                weight = broadcast(builder, builder.load(at(column, constant(t))), vector)
                builder.store(call(builder, 'fmuladd', vector, weight, value, builder.load(total)), total)
        for total, place in zip(sums, places, strict=True):
            store_vector(builder, builder.load(total), place, vector)
        return context.get_dummy_value()

    return types.void(weights, types.intp, inputs, types.intp, types.intp, outputs, types.intp), codegen


@njit(forceinline=True)
def _activate(networks, values, slopes, first, n):
    """Replace ``n`` rows of sums by their CELU, and store its derivatives in ``slopes``."""
    alpha = splat(networks.alpha, LANES)
    zero = alpha - alpha
    for index in range(first, first + n * LANES, LANES):
        a = load(values, index, LANES)
        positive = maximum(a, zero)
        slope = exp2((a - positive) * networks.slope_exponent)
        store(slope, slopes, index)
        store(fma(alpha, slope, positive - alpha), values, index)


@njit(forceinline=True)
def _forward(networks, member, features, start, values, slopes):
    """Compute all hidden layers into ``values`` and ``slopes``, one layer after another."""
    widths = networks.widths
    weight = bias = 0
    for layer in range(networks.n_hidden):
        weight += widths[layer] * widths[layer + 1]
        bias += widths[layer + 1]
    weight, bias, first = member * weight, member * bias, 0
    for layer in range(networks.n_hidden):
        n_in, n_out = widths[layer], widths[layer + 1]
        for output in range(n_out):
            store(splat(networks.biases[bias + output], LANES), values, first + output * LANES)
        for output in range(0, n_out, TILE):
            at = weight + output * n_in
            if layer == 0:
                _accumulate_tile(networks.forward, at, features, start, n_in, values, output * LANES)
            else:
                before = first - n_in * LANES
                _accumulate_tile(networks.forward, at, values, before, n_in, values, first + output * LANES)
        _activate(networks, values, slopes, first, n_out)
        weight, bias, first = weight + n_in * n_out, bias + n_out, first + n_out * LANES


@njit(forceinline=True)
def _backward(networks, member, slopes, deltas, gradients, start):
    """Propagate the derivatives of the energies from the last hidden layer, in ``deltas``, back to the features."""
    widths = networks.widths
    zero = splat(networks.alpha - networks.alpha, LANES)
    weight = first = 0
    for layer in range(networks.n_hidden):
        weight += widths[layer] * widths[layer + 1]
        first += widths[layer + 1] * LANES
    weight *= member + 1
    for layer in range(networks.n_hidden - 1, -1, -1):
        n_in, n_out = widths[layer], widths[layer + 1]
        weight, first = weight - n_in * n_out, first - n_out * LANES
        below, before = (gradients, start) if layer == 0 else (deltas, first - n_in * LANES)
        for index in range(before, before + n_in * LANES, LANES):
            store(zero, below, index)
        for output in range(0, n_in, TILE):
            _accumulate_tile(
                networks.backward, weight + output * n_out, deltas, first, n_out, below, before + output * LANES
            )
        if layer > 0:
            for index in range(before, before + n_in * LANES, LANES):
                store(load(deltas, index, LANES) * load(slopes, index, LANES), deltas, index)


@njit(forceinline=True)
def network(networks, member, features, start, gradients, out, scratch, with_gradients):
    """Compute the energies of ``LANES`` atoms by one member into ``scratch``, and their gradients by the features.

    :param networks: the weights.
    :param member: index of the member.
    :param features: ``[..., feature, LANES]``, flat; those of these atoms begin at index ``start``.
    :param gradients: like ``features``; written from index ``out`` on.
    :param scratch: work arrays of this thread.
    :param with_gradients: whether to compute the gradients.
    """
    values, slopes, deltas = scratch.values, scratch.slopes, scratch.deltas
    _forward(networks, member, features, start, values, slopes)
    width = networks.widths[networks.n_hidden]
    last = 0
    for layer in range(1, networks.n_hidden):
        last += networks.widths[layer] * LANES
    energy = splat(networks.last_biases[member], LANES)
    for neuron in range(width):
        weight = networks.last_weights[member * width + neuron]
        at = last + neuron * LANES
        energy = fma(load(values, at, LANES), splat(weight, LANES), energy)
        store(load(slopes, at, LANES) * weight, deltas, at)
    store(energy, scratch.energies, 0)
    if with_gradients:
        _backward(networks, member, slopes, deltas, gradients, out)
