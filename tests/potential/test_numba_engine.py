"""Properties that the compiled kernels have beyond those of every engine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.potential import kernels
from aiida_anial.potential.kernels import arrays, evaluate, jacobian, lists, machine
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.settings import DescriptorSettings, EngineSettings, ModelSettings
from aiida_anial.potential.torch_engine import TorchEngine

NAMES = ('member_energies', 'member_forces', 'stresses')


def _everything(engine, cells, **kwargs):
    return engine.evaluate(cells, stress=True, member_forces=True, **kwargs)


def _assert_same_bits(first, second):
    for name in ('energies', 'forces', *NAMES):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.fixture(scope='module')
def large(ensemble) -> NumbaEngine:
    return NumbaEngine(ensemble, EngineSettings())


@pytest.fixture
def mixed(make_cell) -> Cells:
    """Cells of different sizes, fewer atoms than a chunk; see ``small_chunks``."""
    return Cells.from_lists(*zip(*[make_cell(n, seed=n) for n in (5, 17, 33, 2, 40, 16)], strict=True), species=13)


@pytest.fixture
def small_chunks(monkeypatch) -> None:
    """Chunks of 8 or 16 atoms, so that a cell is divided into several."""
    monkeypatch.setattr(arrays, '_MAX_CHUNK', arrays.LANES)


def test_a_cell_has_the_same_bits_in_any_batch(make_ensemble, mixed):
    """Nine members, because from eight on NumPy sums a single column in another order than several columns."""
    engine = NumbaEngine(make_ensemble(ModelSettings(hidden_layers=(12, 10), n_members=9)), EngineSettings())
    together = _everything(engine, mixed)
    for index in range(len(mixed)):
        alone = _everything(engine, mixed.select([index]))
        atoms = slice(*mixed.offsets[index : index + 2])
        np.testing.assert_array_equal(together.energies[[index]], alone.energies)
        np.testing.assert_array_equal(together.energy_disagreement[[index]], alone.energy_disagreement)
        np.testing.assert_array_equal(together.force_disagreement[atoms], alone.force_disagreement)
        np.testing.assert_array_equal(together.member_energies[:, [index]], alone.member_energies)
        np.testing.assert_array_equal(together.member_forces[:, atoms], alone.member_forces)
        np.testing.assert_array_equal(together.forces[atoms], alone.forces)
        np.testing.assert_array_equal(together.stresses[[index]], alone.stresses)


@pytest.mark.parametrize('threads', [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(ensemble, large, mixed, small_chunks, threads):
    engine = NumbaEngine(ensemble, EngineSettings(threads=threads))
    for _ in range(5):
        _assert_same_bits(_everything(engine, mixed), _everything(large, mixed))


def test_the_size_of_the_chunks_changes_no_bit(large, mixed, monkeypatch):
    whole = _everything(large, mixed)
    monkeypatch.setattr(arrays, '_MAX_CHUNK', arrays.LANES)
    _assert_same_bits(_everything(large, mixed), whole)


def test_one_engine_serves_several_threads_one_after_another(ensemble, mixed):
    engine = NumbaEngine(ensemble, EngineSettings(threads=3))
    expected = engine.evaluate(mixed).forces
    with ThreadPoolExecutor(4) as pool:
        for prediction in pool.map(engine.evaluate, [mixed] * 12):
            np.testing.assert_array_equal(prediction.forces, expected)


def test_scratch_grows_with_the_neighbours(ensemble, make_cell):
    """A dense cell after a dilute one has many times its neighbours, and a skin adds more to the list."""
    engine = NumbaEngine(ensemble, EngineSettings(dtype='float64'))
    reference = TorchEngine(ensemble, EngineSettings(dtype='float64'))
    for volume in (60.0, 12.0, 17.0):
        cells = Cells.from_lists(*zip(make_cell(6, seed=8, volume=volume), strict=True), species=13)
        neighbours = engine.neighbours(cells, skin=3.0)
        prediction = engine.evaluate(cells, neighbours=neighbours)
        np.testing.assert_allclose(prediction.forces, reference.evaluate(cells).forces, atol=1e-11)


def test_nothing_is_written_past_the_end_of_an_array(ensemble, mixed, monkeypatch):
    """Every array that the kernels write lies between guards, which must not change."""
    guarded: list[tuple[np.ndarray, int]] = []

    def allocate(size, dtype=np.float64):
        shape = size if isinstance(size, tuple) else (size,)
        n = int(np.prod(shape))
        block = np.full(n + 128, 77, dtype=dtype)
        guarded.append((block, n))
        block[64 : 64 + n] = 0
        return block[64 : 64 + n].reshape(shape)

    engine = NumbaEngine(ensemble, EngineSettings(threads=2))
    expected = _everything(engine, mixed)
    for name in ('zeros', 'empty'):
        monkeypatch.setattr(arrays.np, name, allocate)
    engine = NumbaEngine(ensemble, EngineSettings(threads=2))
    actual = _everything(engine, mixed, neighbours=engine.neighbours(mixed, skin=0.5))
    monkeypatch.undo()
    np.testing.assert_allclose(actual.forces, expected.forces, atol=1e-6)
    assert len(guarded) > 40
    for block, n in guarded:
        assert (block[:64] == 77).all()
        assert (block[64 + n :] == 77).all()


@pytest.mark.parametrize('layers', [(1,), (5, 23), (40, 17, 8, 3)])
@pytest.mark.parametrize('n_members', [1, 5])
def test_any_descriptor_and_any_networks(make_ensemble, make_cell, layers, n_members):
    descriptor = DescriptorSettings(
        radial_cutoff_angstrom=6.1,
        angular_cutoff_angstrom=4.2,
        radial_eta_per_angstrom2=11.0,
        radial_shifts_angstrom=tuple(np.linspace(0.9, 5.5, 11)),
        angular_eta_per_angstrom2=3.0,
        angular_shifts_angstrom=tuple(np.linspace(0.9, 3.4, 9)),
        angular_zeta=8.0,
        angle_shifts_rad=(0.0, 0.4, 1.1, 1.6, 2.0, 2.2, 2.5, 2.7, 2.9, 3.1, 3.14),
    )
    model = ModelSettings(descriptor=descriptor, hidden_layers=layers, celu_alpha=0.6, n_members=n_members)
    ensemble = make_ensemble(model)
    cells = Cells.from_lists(*zip(make_cell(9, seed=1), make_cell(14, seed=2), strict=True), species=13)
    expected = _everything(TorchEngine(ensemble, EngineSettings(dtype='float64')), cells)
    actual = _everything(NumbaEngine(ensemble, EngineSettings(dtype='float64')), cells)
    for name in NAMES:
        scale = np.abs(getattr(expected, name)).max()
        np.testing.assert_allclose(getattr(actual, name), getattr(expected, name), atol=1e-12 * scale)


def test_single_precision_is_within_5e_6_of_double(ensemble, large, mixed):
    double = _everything(NumbaEngine(ensemble, EngineSettings(dtype='float64')), mixed)
    single = _everything(large, mixed)
    for name in NAMES:
        scale = np.abs(getattr(double, name)).max()
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), atol=5e-6 * scale)


def test_a_neighbour_at_the_cutoff_is_no_trouble(ensemble, large):
    """In single precision such a neighbour may fall on either side of the cutoff."""
    for distance in (4.9999995, 5.0, 5.0000005, 6.9999995, 6.99999999, 7.0):
        cells = Cells.from_lists([[[0, 0, 0], [distance, 0, 0], [2.5, 2, 0]]], [np.eye(3) * 30], species=13)
        double = TorchEngine(ensemble, EngineSettings(dtype='float64')).evaluate(cells)
        np.testing.assert_allclose(large.evaluate(cells).forces, double.forces, atol=1e-5)


def test_what_a_broken_cell_gives_does_not_reach_the_others(large, mixed):
    expected = large.evaluate(mixed)
    broken = mixed.positions.copy()
    broken[1] = broken[0]
    prediction = large.evaluate(Cells(broken, mixed.lattices, mixed.offsets, mixed.species))
    assert np.isnan(prediction.energies[0])
    np.testing.assert_array_equal(prediction.energies[1:], expected.energies[1:])
    np.testing.assert_array_equal(prediction.forces[5:], expected.forces[5:])
    np.testing.assert_array_equal(large.evaluate(mixed).forces, expected.forces)


def test_lists_of_other_cells_are_refused(large, mixed):
    neighbours = large.neighbours(mixed, skin=0.5)
    with pytest.raises(AnialError, match='neighbours'):
        large.evaluate(mixed, neighbours=neighbours[:-1])
    with pytest.raises(AnialError, match='neighbours'):
        large.evaluate(mixed, neighbours=neighbours[::-1])
    large.evaluate(mixed, neighbours=neighbours)
    with pytest.raises(AnialError, match='neighbours'):
        large.evaluate(mixed.select(range(len(mixed))[::-1]), neighbours=neighbours)


def test_lists_serve_as_long_as_atoms_move_within_the_skin(ensemble, mixed):
    """The arrays of lists are kept from one evaluation to the next, the positions are not."""
    engine = NumbaEngine(ensemble, EngineSettings(dtype='float64'))
    neighbours = engine.neighbours(mixed, skin=0.6)
    generator = np.random.default_rng(0)
    for _ in range(3):
        moved = mixed.positions + generator.uniform(-0.15, 0.15, mixed.positions.shape)
        cells = Cells(moved, mixed.lattices, mixed.offsets, mixed.species)
        expected = engine.evaluate(cells).forces
        np.testing.assert_allclose(engine.evaluate(cells, neighbours=neighbours).forces, expected, atol=1e-12)


def test_lists_may_be_of_any_memory_layout(large, mixed):
    """The kernels read them in place, so they must have been converted to the expected layout."""
    neighbours = large.neighbours(mixed, skin=0.5)
    odd = [
        NeighbourList(
            part.starts.astype(np.int32), part.neighbour.astype(np.int32), np.asfortranarray(part.shift_vectors), 7.5
        )
        for part in neighbours
    ]
    expected = large.evaluate(mixed, neighbours=neighbours).forces
    np.testing.assert_array_equal(large.evaluate(mixed, neighbours=odd).forces, expected)


def test_cells_of_any_memory_layout_need_no_other_kernels(large, mixed):
    expected = large.evaluate(mixed).forces
    known = [len(function.signatures) for function in (evaluate.evaluate, lists.find_pairs)]
    positions, lattices, offsets = mixed.positions.copy(), np.asfortranarray(mixed.lattices), mixed.offsets.copy()
    for array in (positions, lattices, offsets):
        array.flags.writeable = False
    odd = Cells(positions, lattices, offsets, np.full(len(positions), 13, dtype=np.int16))
    np.testing.assert_array_equal(large.evaluate(odd).forces, expected)
    np.testing.assert_array_equal(large.evaluate(odd, neighbours=large.neighbours(odd, skin=0.0)).forces, expected)
    assert [len(function.signatures) for function in (evaluate.evaluate, lists.find_pairs)] == known


def test_kernels_on_disk_are_those_of_the_sources(tmp_path):
    """Numba's cache alone would notice changes only in the file of the outermost function."""
    source = Path(kernels.__file__).parent
    copied = Path(shutil.copytree(source, tmp_path / 'kernels', ignore=shutil.ignore_patterns('__pycache__')))
    code = 'import sys, runpy; print(runpy.run_path(sys.argv[1])["FINGERPRINT"])'

    def fingerprint() -> int:
        command = [sys.executable, '-c', code, str(copied / 'machine.py')]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert fingerprint() == machine.FINGERPRINT
    with (copied / 'pair_gradients.py').open('a') as file:
        file.write('# another kernel\n')
    assert fingerprint() != machine.FINGERPRINT
    for function in (evaluate.evaluate, jacobian.fill_feature_gradients):
        assert [cell.cell_contents for cell in function.py_func.__closure__] == [machine.FINGERPRINT]
