import numpy as np
import pytest
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.potential import torch_engine
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.torch_engine import TorchEngine

# Short, because the derivatives of activations and cutoffs have kinks, where the error is proportional to the step.
STEP = 1e-5


def test_forces_are_finite_differences_of_the_energy(engine, cells, slope):
    prediction = engine.evaluate(cells, member_forces=True)
    generator = np.random.default_rng(0)
    for _ in range(4):
        direction = generator.normal(size=cells.positions.shape)

        def energies(step, direction=direction):
            moved = Cells(cells.positions + step * direction, cells.lattices, cells.offsets, cells.species)
            return engine.evaluate(moved, forces=False).member_energies

        work = (prediction.member_forces * direction).sum(-1)
        expected = np.add.reduceat(work, cells.offsets[:-1], axis=1)
        np.testing.assert_allclose(-slope(energies, step=STEP), expected, atol=5e-8, rtol=1e-7)
    np.testing.assert_allclose(prediction.forces, prediction.member_forces.mean(0), atol=1e-14)


def test_stress_is_the_finite_difference_by_strain(engine, cells, slope):
    prediction = engine.evaluate(cells, stress=True)
    assert np.abs(prediction.stresses).max(axis=(1, 2)).min() > 1e-4
    for a, b in [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]:
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5
        strain[b, a] += 0.5

        def energies(step, strain=strain):
            deformation = np.eye(3) + step * strain
            strained = Cells(cells.positions @ deformation, cells.lattices @ deformation, cells.offsets, cells.species)
            return engine.evaluate(strained, forces=False).energies

        expected = slope(energies, step=STEP) / cells.volumes
        np.testing.assert_allclose(prediction.stresses[:, a, b], expected, atol=5e-9, rtol=1e-7)
        np.testing.assert_allclose(prediction.stresses[:, b, a], expected, atol=5e-9, rtol=1e-7)


def _everything(engine, cells):
    return engine.evaluate(cells, stress=True, member_forces=True)


def test_rotations_turn_forces_and_stresses_and_leave_energies(engine, cells):
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    before = _everything(engine, cells)
    after = _everything(
        engine, Cells(cells.positions @ rotation, cells.lattices @ rotation, cells.offsets, cells.species)
    )
    np.testing.assert_allclose(after.member_energies, before.member_energies, rtol=1e-12)
    np.testing.assert_allclose(after.member_forces, before.member_forces @ rotation, atol=1e-11)
    np.testing.assert_allclose(after.stresses, rotation.T @ before.stresses @ rotation, atol=1e-13)


def test_translations_and_wrapping_change_nothing(engine, cells):
    before = _everything(engine, cells)
    whole = np.random.default_rng(2).integers(-2, 3, size=cells.positions.shape)
    lattices = cells.lattices[cells.cell_of_atom]
    moved = cells.positions + np.array([0.7, -12.3, 4.1]) + np.einsum('na,nab->nb', whole, lattices)
    after = _everything(engine, Cells(moved, cells.lattices, cells.offsets, cells.species))
    np.testing.assert_allclose(after.member_energies, before.member_energies, rtol=1e-12)
    np.testing.assert_allclose(after.member_forces, before.member_forces, atol=1e-11)
    np.testing.assert_allclose(after.stresses, before.stresses, atol=1e-13)


def test_the_order_of_atoms_does_not_matter(engine, make_cell):
    positions, lattice = make_cell(11, seed=3)
    order = np.random.default_rng(3).permutation(11)
    before = _everything(engine, Cells.from_lists([positions], [lattice], species=13))
    after = _everything(engine, Cells.from_lists([positions[order]], [lattice], species=13))
    np.testing.assert_allclose(after.member_energies, before.member_energies, rtol=1e-13)
    np.testing.assert_allclose(after.member_forces, before.member_forces[:, order], atol=1e-12)


@pytest.mark.parametrize('n_atoms', [1, 3])
def test_a_supercell_has_the_same_energy_an_atom_forces_and_stress(engine, make_cell, n_atoms):
    positions, lattice = make_cell(n_atoms, seed=4)
    repeats = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0], [1, 2, 0]])
    images = (positions + (repeats @ lattice)[:, None]).reshape(-1, 3)
    one = _everything(engine, Cells.from_lists([positions], [lattice], species=13))
    many = _everything(engine, Cells.from_lists([images], [lattice * [[2], [3], [1]]], species=13))
    np.testing.assert_allclose(many.member_energies, 6 * one.member_energies, rtol=1e-12)
    np.testing.assert_allclose(many.member_forces, np.tile(one.member_forces, (1, 6, 1)), atol=1e-11)
    np.testing.assert_allclose(many.stresses, one.stresses, atol=1e-13)


def test_a_cell_does_not_see_the_rest_of_its_batch(engine, cells):
    together = _everything(engine, cells)
    for index in range(len(cells)):
        alone = _everything(engine, cells.select([index]))
        atoms = slice(*cells.offsets[index : index + 2])
        np.testing.assert_allclose(together.member_energies[:, [index]], alone.member_energies, rtol=1e-13)
        np.testing.assert_allclose(together.member_forces[:, atoms], alone.member_forces, atol=1e-12)
        np.testing.assert_allclose(together.stresses[[index]], alone.stresses, atol=1e-14)


def test_the_size_of_the_tables_does_not_matter(ensemble, cells, monkeypatch):
    engine = make_engine(ensemble, EngineSettings(engine='torch', dtype='float64'))
    before = _everything(engine, cells)
    monkeypatch.setattr(torch_engine, '_MAX_TRIPLES_MEMBERS', 1)
    after = _everything(engine, cells)
    np.testing.assert_allclose(after.member_energies, before.member_energies, rtol=1e-13)
    np.testing.assert_allclose(after.member_forces, before.member_forces, atol=1e-12)


def test_forces_add_up_to_nothing(engine, cells):
    sums = np.add.reduceat(engine.evaluate(cells).forces, cells.offsets[:-1])
    np.testing.assert_allclose(sums, 0, atol=1e-12)


def test_only_what_is_asked_for_is_there(engine, cells):
    energies = engine.evaluate(cells, forces=False)
    assert energies.forces is energies.stresses is energies.member_forces is None
    stresses = engine.evaluate(cells, forces=False, stress=True)
    assert stresses.forces is None
    everything = _everything(engine, cells)
    np.testing.assert_allclose(stresses.stresses, everything.stresses, atol=1e-14)
    np.testing.assert_allclose(energies.member_energies, everything.member_energies, rtol=1e-13)
    members = engine.evaluate(cells, forces=False, member_forces=True)
    assert members.forces is None
    np.testing.assert_allclose(engine.evaluate(cells).forces, members.member_forces.mean(0), atol=1e-13)


def test_lonely_atoms_have_the_energy_of_an_empty_descriptor(ensemble, engine):
    lonely = Cells.from_lists([[[0, 0, 0]], [[1, 1, 1], [15, 15, 15]]], [np.eye(3) * 20, np.eye(3) * 30], species=13)
    prediction = _everything(engine, lonely)
    x = np.zeros((3, 96))
    for layer, (weight, bias) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
        x = np.einsum('moi,mi->mo', weight, x) + bias
        x = np.where(x > 0, x, 0.1 * np.expm1(x / 0.1)) if layer < 2 else x
    energy = x.mean() + ensemble.self_energy
    np.testing.assert_allclose(prediction.energies, [energy, 2 * energy], rtol=1e-12)
    assert (prediction.member_forces == 0).all()
    assert (prediction.stresses == 0).all()


def test_an_empty_batch_gives_empty_arrays(engine):
    prediction = _everything(engine, Cells.from_lists([], [], species=13))
    assert prediction.energies.shape == (0,)
    assert prediction.forces.shape == (0, 3)
    assert prediction.stresses.shape == (0, 3, 3)


def test_atoms_in_one_place_give_no_number_and_no_crash(engine):
    prediction = engine.evaluate(Cells.from_lists([[[0, 0, 0], [0, 0, 0], [2, 2, 2]]], [np.eye(3) * 9], species=13))
    assert np.isnan(prediction.energies[0])


def test_single_precision_is_close(ensemble, engine, engine_options, cells):
    single = _everything(make_engine(ensemble, EngineSettings(**engine_options)), cells)
    double = _everything(engine, cells)
    assert single.energies.dtype == single.forces.dtype == np.float64
    np.testing.assert_allclose(
        single.member_energies / cells.n_atoms, double.member_energies / cells.n_atoms, atol=2e-6
    )
    np.testing.assert_allclose(single.member_forces, double.member_forces, atol=2e-5)
    np.testing.assert_allclose(single.stresses, double.stresses, atol=1e-6)


def test_results_repeat_bit_for_bit(ensemble, engine_options, cells):
    first = _everything(make_engine(ensemble, EngineSettings(**engine_options)), cells)
    again = _everything(make_engine(ensemble, EngineSettings(**engine_options)), cells)
    for name in ('member_energies', 'member_forces', 'stresses'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_a_missing_device_is_one_sentence(ensemble):
    with pytest.raises(SettingsError, match='no device'):
        make_engine(ensemble, EngineSettings(device=f'cuda:{torch.cuda.device_count()}'))


def test_the_engine_is_chosen_for_the_device(ensemble):
    assert isinstance(make_engine(ensemble, EngineSettings()), NumbaEngine)
    assert isinstance(make_engine(ensemble, EngineSettings(engine='torch')), TorchEngine)
    with pytest.raises(SettingsError, match='numba runs on the CPU only'):
        EngineSettings.parse({'engine': 'numba', 'device': 'cuda'}, where='engine')


@pytest.mark.parametrize('values', [{'device': 'tpu'}, {'dtype': 'float16'}, {'threads': 0}, {'engine': 'abacus'}])
def test_impossible_engines_are_refused(values):
    with pytest.raises(SettingsError, match=next(iter(values))):
        EngineSettings.parse(values, where='engine')
