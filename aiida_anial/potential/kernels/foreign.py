"""The kernels as one function of C, for programs that have their own atoms and neighbours.

The function evaluates up to ``CHUNK`` atoms, each from the vectors to its neighbours alone. It works on two blocks of
memory: the *model*, which is constant, and the *work*. Where in them each array lies is compiled into it, so its
callers need the sizes of the blocks only. They pass addresses in an array of integers, see ``Call``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.kernels.arrays import descriptor_numbers, networks_arrays, scratch_arrays, shared_arrays
from aiida_anial.potential.kernels.evaluate import (
    Batch,
    Results,
    Scratch,
    Shared,
    collect,
    describe,
    member_energies,
    pair_gradients,
)
from aiida_anial.potential.kernels.features import Numbers
from aiida_anial.potential.kernels.machine import LANES, flush_denormals, pointer_type, restore_denormals
from aiida_anial.potential.kernels.networks import Networks
from aiida_anial.potential.kernels.shells import Lists

__all__ = ('CHUNK', 'MOST_NEIGHBOURS', 'Call', 'ForeignKernel', 'foreign_kernel')

# Most atoms of a call: enough to fill the vectors, few enough for caches.
CHUNK: Final = 128
# Most neighbours of an atom within the cutoff: ten times as many as in aluminium at rest.
MOST_NEIGHBOURS: Final = 1024
_ALIGNMENT: Final = 64


class Call(NamedTuple):
    """The elements of the array of int64 by which the function is called; all but two are addresses.

    The call is for A atoms with Q pairs, M members and B gradients.

    :param n_atoms: A, at most ``CHUNK``.
    :param n_gradients: B: 0 for energies only, 1 for the gradients of the mean, M for those of every member.
    :param starts: ``[A + 1]`` int64, the first pair of each atom; none may have more than ``MOST_NEIGHBOURS``.
    :param vectors: ``[Q, 3]`` float64, vectors from the atoms to their neighbours, angstrom.
    :param energies: ``[M, A]`` float64, written: energies of the atoms, eV.
    :param pair_gradients: ``[B, Q, 3]`` in the precision of the kernels, written: derivatives of the energies of the
        atoms by the vectors, eV/angstrom.
    :param model: the model.
    :param work: the work; zeros before the first call.
    """

    n_atoms: Any
    n_gradients: Any
    starts: Any
    vectors: Any
    energies: Any
    pair_gradients: Any
    model: Any
    work: Any


# Where two of the addresses are in the array, bytes.
_STARTS: Final = 8 * Call._fields.index('starts')
_VECTORS: Final = 8 * Call._fields.index('vectors')


class _Model(NamedTuple):
    """What the model holds."""

    numbers: Numbers
    networks: Networks


class _Work(NamedTuple):
    """What the work holds.

    :param shared: intermediate results; the pair gradients are elsewhere.
    :param scratch: work arrays.
    :param zeros: ``[CHUNK * MOST_NEIGHBOURS]`` int64; no one writes to it.
    :param zero_positions: ``[3 * CHUNK]`` float64, likewise.
    :param zeros_address: ``[1]`` int64, the address of ``zeros``.
    """

    shared: Shared
    scratch: Scratch
    zeros: Any
    zero_positions: Any
    zeros_address: Any


@dataclass(frozen=True, eq=False)
class ForeignKernel:
    """The function, compiled for an ensemble.

    :param llvm: its code, optimised for the processor that numba compiles for.
    :param symbol: its name there: ``int32_t symbol(int64_t *result, void **exception, int64_t *call)``.
    :param model: the content of the model.
    :param work_bytes: size of the work.
    """

    llvm: str
    symbol: str
    model: bytes
    work_bytes: int


def foreign_kernel(ensemble: Ensemble, dtype: np.dtype[Any]) -> ForeignKernel:
    """Compile the function for ensembles of this shape, which takes half a minute.

    :param dtype: precision of the kernels.
    """
    numbers, networks = descriptor_numbers(ensemble.model.descriptor, dtype), networks_arrays(ensemble, dtype)
    most = ensemble.model.n_members
    model = _Block(_Model(numbers, networks))
    work = _Block(
        _Work(
            shared=shared_arrays(networks, chunk=CHUNK, n_pairs=0, n_gradients=most, dtype=dtype),
            scratch=scratch_arrays(numbers, networks, n_neighbours=MOST_NEIGHBOURS, n_gradients=most, dtype=dtype),
            zeros=np.zeros(CHUNK * MOST_NEIGHBOURS, np.int64),
            zero_positions=np.zeros(3 * CHUNK),
            zeros_address=np.zeros(1, np.int64),
        )
    )
    signature = types.int64(types.CPointer(types.int64))
    options = {'no_cpython_wrapper': True, 'no_cfunc_wrapper': True, 'error_model': 'numpy'}
    function = njit(signature, **options)(_function(model.bind, work.bind))
    (compiled,) = function.overloads.values()
    return ForeignKernel(
        llvm=compiled.library.get_llvm_str(),
        symbol=compiled.fndesc.llvm_func_name,
        model=model.content(),
        work_bytes=work.n_bytes,
    )


def _function(model: Callable[..., Any], work: Callable[..., Any]) -> Callable[[Any], int]:
    """Return the function; ``model`` and ``work`` find the arrays in the blocks."""

    def evaluate(call):
        before = flush_denormals()
        n_atoms, n_gradients = call[0], call[1]
        m, w = model(call[6]), work(call[7])
        c, networks, n_features = m.numbers, m.networks, m.networks.widths[0]
        starts = _pointer(call[2], w.zeros)
        energies = _pointer(call[4], w.zero_positions)
        # All atoms stand at the origin, in one cell, with one neighbour there; the vectors are its translations.
        w.zeros_address[0] = _address(w.zeros)
        lists = Lists(
            _pointer(_address(call) + _STARTS, w.zeros), w.zeros_address, _pointer(_address(call) + _VECTORS, w.zeros)
        )
        batch = Batch(w.zero_positions, w.zeros, w.zeros, lists, starts)
        results = Results(1, n_atoms, energies, energies, energies)
        shared = Shared(
            CHUNK,
            starts[n_atoms],
            w.shared.features,
            w.shared.member_gradients,
            w.shared.gradients,
            _pointer(call[5], w.shared.gradients),
        )
        n_groups = (n_atoms + LANES - 1) // LANES
        for atom in range(n_atoms):
            describe(atom, atom, batch, c, shared, w.scratch, n_features)
        for task in range(n_groups * networks.n_members):
            member_energies(task, n_groups, 0, networks, shared, results, w.scratch, n_features, n_gradients)
        if n_gradients:
            for group in range(n_groups):
                collect(group, n_groups, networks.n_members, shared, n_features, n_gradients)
            for atom in range(n_atoms):
                pair_gradients(atom, atom, 0, batch, c, shared, w.scratch, n_features, n_gradients)
        restore_denormals(before)
        return 0

    return evaluate


class _Block:
    """A block of memory for the arrays of a named tuple, one after another.

    :param template: the named tuple; its parts are arrays, numbers, and named tuples of them.
    """

    def __init__(self, template: Any) -> None:
        self._arrays = list(_arrays(template))
        sizes = [-(-array.nbytes // _ALIGNMENT) * _ALIGNMENT for array in self._arrays]
        self._offsets = np.cumsum([0, *sizes])
        self.n_bytes = int(self._offsets[-1])
        kind, offsets = pointer_type(typeof(template)), self._offsets.tolist()

        @intrinsic
        def bind(typingctx: Any, address: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                return _bound(context, builder, kind, template, arguments[0], iter(offsets))

            return kind(types.int64), codegen

        # The function of the address of a block that returns the named tuple, with pointers into the block.
        self.bind = bind

    def content(self) -> bytes:
        """Return the block with the values of the arrays."""
        block = bytearray(self.n_bytes)
        for array, offset in zip(self._arrays, self._offsets, strict=False):
            block[offset : offset + array.nbytes] = array.tobytes()
        return bytes(block)


def _arrays(template: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays of a named tuple in order."""
    for part in template:
        if isinstance(part, tuple):
            yield from _arrays(part)
        elif isinstance(part, np.ndarray):
            yield part


def _bound(context: Any, builder: Any, kind: Any, template: Any, address: Any, offsets: Iterator[int]) -> Any:
    """Return the value of ``kind``: the numbers of ``template``, and pointers to ``address`` plus the offsets."""
    if isinstance(template, tuple):
        parts = zip(kind.types, template, strict=True)
        values = [_bound(context, builder, field, part, address, offsets) for field, part in parts]
        return context.make_tuple(builder, kind, values)
    if isinstance(template, np.ndarray):
        place = builder.add(address, ir.Constant(ir.IntType(64), next(offsets)))
        return builder.inttoptr(place, context.get_value_type(kind))
    return context.get_constant(kind, template)


@intrinsic
def _pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """Return a pointer of the type of ``like``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(like))

    return like(types.int64, like), codegen


@intrinsic
def _address(typingctx: Any, pointer: Any) -> Any:
    """Return the address that a pointer holds."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], cgutils.intp_t)

    return types.int64(pointer), codegen
