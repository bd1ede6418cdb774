"""The kernels as a function of C, called as a program in another language calls it."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from llvmlite import binding

from aiida_anial.common.cells import Cells
from aiida_anial.potential.kernels.foreign import CHUNK, Call, ForeignKernel, foreign_kernel
from aiida_anial.potential.neighbours import neighbour_lists
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.settings import EngineSettings

N_MEMBERS = 3


class Program:
    """A program that holds the blocks of memory and calls the function."""

    def __init__(self, kernel: ForeignKernel, dtype: Any) -> None:
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=2
        )
        self._jit = binding.create_mcjit_compiler(binding.parse_assembly(kernel.llvm), machine)
        self._jit.finalize_object()
        self._dtype = dtype
        self._model = np.frombuffer(kernel.model, np.uint8).copy()
        self._work = np.zeros(kernel.work_bytes, np.uint8)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)
        self._function = prototype(self._jit.get_function_address(kernel.symbol))

    def evaluate(self, starts, vectors, n_gradients: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the energies ``[M, A]`` and the pair gradients ``[B, Q, 3]``."""
        starts, vectors = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(vectors)
        energies = np.full((N_MEMBERS, len(starts) - 1), np.nan)
        gradients = np.full((n_gradients, len(vectors), 3), np.nan, self._dtype)
        addresses = [array.ctypes.data for array in (starts, vectors, energies, gradients, self._model, self._work)]
        call = np.array(Call(len(starts) - 1, n_gradients, *addresses), np.int64)
        result, exception = ctypes.c_int64(-1), ctypes.c_void_p()
        status = self._function(ctypes.addressof(result), ctypes.addressof(exception), call.ctypes.data)
        assert (status, result.value) == (0, 0)
        return energies, gradients


@pytest.fixture(scope='module', params=['float32', 'float64'])
def dtype(request) -> np.dtype:
    return np.dtype(request.param)


@pytest.fixture(scope='module')
def program(ensemble, dtype) -> Program:
    return Program(foreign_kernel(ensemble, dtype), dtype)


@pytest.mark.parametrize('n_gradients', [0, 1, N_MEMBERS])
@pytest.mark.parametrize('n_atoms', [5, CHUNK + 9])
def test_it_computes_what_the_engine_does(program, ensemble, dtype, make_cell, n_atoms, n_gradients):
    positions, lattice = make_cell(n_atoms, seed=n_atoms)
    cells = Cells.from_lists([positions], [lattice], species=13)
    expected = NumbaEngine(ensemble, EngineSettings(dtype=dtype.name)).evaluate(
        cells, forces=n_gradients == 1, member_forces=n_gradients > 1
    )
    (pairs,) = neighbour_lists(cells, cutoff=ensemble.model.descriptor.radial_cutoff_angstrom + 0.3)
    starts = np.asarray(pairs.starts)
    neighbour, shifts = pairs.neighbour[: starts[-1]], pairs.shift_vectors[: starts[-1]]
    centre = np.repeat(np.arange(n_atoms), np.diff(starts))
    vectors = positions[neighbour] - positions[centre] + shifts
    energies, forces = np.zeros(N_MEMBERS), np.zeros((n_gradients, n_atoms, 3))
    for first in range(0, n_atoms, CHUNK):
        last = min(first + CHUNK, n_atoms)
        some = slice(starts[first], starts[last])
        found, gradients = program.evaluate(starts[first : last + 1] - starts[first], vectors[some], n_gradients)
        energies += found.sum(axis=1)
        for b in range(n_gradients):
            np.add.at(forces[b], centre[some], gradients[b])
            np.subtract.at(forces[b], neighbour[some], gradients[b])
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    total = energies + ensemble.self_energy * n_atoms
    np.testing.assert_allclose(total, expected.member_energies[:, 0], rtol=tolerance)
    if n_gradients:
        exact = expected.forces[None] if n_gradients == 1 else expected.member_forces
        np.testing.assert_allclose(forces, exact, rtol=0, atol=tolerance * np.abs(exact).max())


def test_an_atom_without_neighbours_has_the_energy_of_an_atom(program, ensemble, dtype):
    energies, _ = program.evaluate([0, 0, 0], np.zeros((0, 3)), 1)
    far = Cells.from_lists([np.zeros((1, 3))], [30.0 * np.eye(3)], species=13)
    alone = NumbaEngine(ensemble, EngineSettings(dtype=dtype.name)).evaluate(far).member_energies - ensemble.self_energy
    np.testing.assert_allclose(energies, np.repeat(alone, 2, axis=1), rtol=0, atol=1e-6)
