"""Tests of all kinds of potentials: one line in ``EXAMPLES`` applies them to a new kind."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_stress
from support.potentials import random_cell, random_ensemble

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError, SettingsError
from aiida_anial.common.tensors import TensorFile, parse_tensors, tensor_bytes
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import (
    FILE_KIND,
    SCHEMA_VERSION,
    Potential,
    parse_potential,
    potential_bytes,
    read_potential,
    write_potential,
)
from aiida_anial.potential.settings import POTENTIALS, EngineSettings, ModelSettings, PotentialSettings
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.training.trainers import TRAINERS
from aiida_anial.worker import property as property_job
from aiida_anial.worker.job import Job

# The example kind of the documentation.
EXAMPLE = Path(__file__).parents[2] / 'docs' / 'examples' / 'lennard_jones.py'
spec = importlib.util.spec_from_file_location('lennard_jones', EXAMPLE)
lennard_jones = importlib.util.module_from_spec(spec)
sys.modules['lennard_jones'] = lennard_jones
spec.loader.exec_module(lennard_jones)

DOUBLE = EngineSettings(dtype='float64')


def random_lennard_jones(n_members: int) -> Potential:
    parameters = np.random.default_rng(1).uniform((0.2, 2.3), (0.4, 2.6), (n_members, 2))
    return lennard_jones.LennardJones(lennard_jones.LennardJonesSettings(n_members=n_members), parameters)


# For each kind, a function that makes a potential with the given number of different members.
EXAMPLES: dict[str, Callable[[int], Potential]] = {
    'ani': lambda n_members: random_ensemble(ModelSettings(hidden_layers=(12, 10), n_members=n_members)),
    'lennard_jones': random_lennard_jones,
}


@pytest.fixture(autouse=True)
def with_the_example(monkeypatch):
    monkeypatch.setitem(POTENTIALS, 'lennard_jones', 'lennard_jones:LennardJones')


@pytest.fixture(scope='module', params=EXAMPLES)
def potential(request) -> Potential:
    return EXAMPLES[request.param](3)


@pytest.fixture
def engine(potential):
    return make_engine(potential, DOUBLE)


def everything(engine, cells):
    return engine.evaluate(cells, stress=True, member_forces=True)


def test_every_kind_that_can_be_chosen_is_tested_and_can_be_trained():
    assert set(EXAMPLES) == set(POTENTIALS)
    assert set(TRAINERS) == set(POTENTIALS) - {'lennard_jones'}


def test_forces_and_stress_are_derivatives_of_the_energy(engine, cells, slope):
    prediction = everything(engine, cells)
    generator = np.random.default_rng(0)
    direction, strain = generator.normal(size=cells.positions.shape), generator.normal(size=(3, 3))

    def moved(step):
        return engine.evaluate(
            Cells(cells.positions + step * direction, cells.lattices, cells.offsets, cells.species)
        ).member_energies

    def strained(step):
        deformation = np.eye(3) + step * (strain + strain.T) / 2
        positions, lattices = cells.positions @ deformation, cells.lattices @ deformation
        return engine.evaluate(Cells(positions, lattices, cells.offsets, cells.species)).energies

    work = np.add.reduceat((prediction.member_forces * direction).sum(-1), cells.offsets[:-1], axis=1)
    np.testing.assert_allclose(-slope(moved, step=1e-5), work, atol=1e-7, rtol=1e-6)
    expected = (prediction.stresses * strain).sum(axis=(1, 2)) * cells.volumes
    np.testing.assert_allclose(slope(strained, step=1e-5), expected, atol=1e-7, rtol=1e-6)


def test_the_potential_is_the_mean_of_its_members(potential, engine, cells):
    prediction = everything(engine, cells)
    assert prediction.member_energies.shape == (3, len(cells))
    np.testing.assert_allclose(prediction.energies, prediction.member_energies.mean(0), rtol=1e-13)
    np.testing.assert_allclose(prediction.forces, prediction.member_forces.mean(0), atol=1e-12)
    for index in range(3):
        alone = everything(make_engine(potential.member(index), DOUBLE), cells)
        np.testing.assert_allclose(alone.energies, prediction.member_energies[index], rtol=1e-12)
        np.testing.assert_allclose(alone.forces, prediction.member_forces[index], atol=1e-11)
        assert (alone.energy_disagreement == 0).all()
        assert (alone.force_disagreement == 0).all()
    for index in (-1, 3):
        with pytest.raises(AnialError, match=f'no member {index} among 3'):
            potential.member(index)


def test_members_disagree(engine, cells):
    prediction = everything(engine, cells)
    assert (prediction.energy_disagreement > 0).all()
    assert (prediction.force_disagreement >= 0).all()
    assert prediction.force_disagreement.max() > 0


def test_invariances(engine, make_cell):
    positions, lattice = make_cell(9, seed=3)
    before = everything(engine, Cells.from_lists([positions], [lattice], species=13))
    generator = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    order = generator.permutation(9)
    shifted = positions + generator.integers(-2, 3, size=(9, 3)) @ lattice + generator.normal(size=3)
    cells = Cells.from_lists([(shifted @ rotation)[order]], [lattice @ rotation], species=13)
    after = everything(engine, cells)
    np.testing.assert_allclose(after.member_energies, before.member_energies, rtol=1e-11)
    np.testing.assert_allclose(after.member_forces, (before.member_forces @ rotation)[:, order], atol=1e-10)
    np.testing.assert_allclose(after.stresses, rotation.T @ before.stresses @ rotation, atol=1e-12)
    double = Cells.from_lists([np.vstack([positions, positions + lattice[0]])], [lattice * [[2], [1], [1]]], species=13)
    twice = everything(engine, double)
    np.testing.assert_allclose(twice.member_energies, 2 * before.member_energies, rtol=1e-11)
    np.testing.assert_allclose(twice.stresses, before.stresses, atol=1e-12)


def test_a_list_with_a_skin_serves_and_a_batch_does_not_matter(engine, cells):
    lists = engine.neighbours(cells, skin=0.6)
    moved = cells.moved(cells.positions + np.random.default_rng(2).uniform(-0.15, 0.15, cells.positions.shape))
    fresh, listed = everything(engine, moved), engine.evaluate(moved, neighbours=lists, stress=True)
    np.testing.assert_allclose(listed.energies, fresh.energies, rtol=1e-12)
    np.testing.assert_allclose(listed.forces, fresh.forces, atol=1e-11)
    np.testing.assert_allclose(listed.stresses, fresh.stresses, atol=1e-12)
    alone = everything(engine, moved.select([2]))
    np.testing.assert_allclose(alone.energies, fresh.energies[[2]], rtol=1e-12)


def test_only_what_is_asked_for_is_there(engine, cells):
    energies = engine.evaluate(cells, forces=False)
    assert energies.forces is energies.stresses is energies.member_forces is None


def test_the_file_comes_back_byte_for_byte(potential, tmp_path):
    path = tmp_path / 'potential.safetensors'
    write_potential(path, potential)
    read = read_potential(path)
    assert type(read) is type(potential)
    assert read.model == potential.model
    assert potential_bytes(read) == path.read_bytes() == potential_bytes(potential)
    content = parse_tensors(path.read_bytes(), source='file', kind=FILE_KIND, schema_version=SCHEMA_VERSION)
    assert content.metadata['model'] == potential.model.to_dict()
    for name in content.arrays:
        without = {key: value for key, value in content.arrays.items() if key != name}
        damaged = tensor_bytes(TensorFile(FILE_KIND, SCHEMA_VERSION, content.metadata, without))
        with pytest.raises(FileFormatError, match=r'^file: .*missing'):
            parse_potential(damaged, source='file')


def test_settings_come_back_as_their_class(potential):
    model = potential.model
    assert type(PotentialSettings.parse(model.to_dict())) is type(model)
    assert PotentialSettings.parse(model.to_dict()) == model
    inputs = CampaignInputs.parse({'model': model.to_dict()})
    assert inputs.model == model
    assert CampaignInputs.parse(inputs.to_dict()) == inputs
    assert 0 < model.cutoff_angstrom < 20


def test_the_calculator(potential, engine):
    positions, lattice = random_cell(7, seed=16)
    calculator = AnialCalculator(potential)
    atoms = Atoms('Al7', positions=positions, cell=lattice, pbc=True, calculator=calculator)
    expected = everything(engine, Cells.from_lists([positions], [lattice], species=13))
    assert atoms.get_potential_energy() == pytest.approx(expected.energies[0], rel=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-11)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-6)
    disagreement = calculator.get_property('force_disagreement', atoms)
    np.testing.assert_allclose(disagreement, expected.force_disagreement, atol=1e-11)


def test_settings_without_a_kind_are_of_the_first_one_and_written_without_it():
    explicit = ModelSettings.parse({'kind': 'ani', 'n_members': 2})
    assert explicit == PotentialSettings.parse({'n_members': 2})
    assert 'kind' not in explicit.to_dict()
    assert 'kind' not in CampaignInputs(model=explicit).to_dict()['model']


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'kind': 'mace'}, "model.kind: unknown kind 'mace'; known kinds are ani, lennard_jones."),
        ({'kind': 7}, "model.kind: unknown kind '7'; known kinds are ani, lennard_jones."),
        ({'hiden_layers': [3]}, "model.hiden_layers: unknown key 'hiden_layers'; did you mean 'hidden_layers'?"),
        ({'descriptor': {'angular_zeta': 0.5}}, 'model.descriptor.angular_zeta: 0.5 is not allowed: '),
        ({'kind': 'lennard_jones', 'hidden_layers': [3]}, "model.hidden_layers: unknown key 'hidden_layers'; "),
        ([3], 'model: [3] is not a mapping of keys to values.'),
    ],
)
def test_wrong_settings_are_one_sentence(values, message):
    with pytest.raises(SettingsError) as error:
        CampaignInputs.parse({'model': values})
    assert str(error.value).startswith(message)
    if isinstance(values, dict):
        with pytest.raises(SettingsError) as error:
            PotentialSettings.parse(values, where='model')
        assert str(error.value).startswith(message)


def test_overrides_may_choose_another_kind():
    model = {'kind': 'lennard_jones', 'pair_cutoff_angstrom': 5.0}
    assert campaign_inputs('demo', {'model': model}).model == lennard_jones.LennardJonesSettings.parse(model)
    plain = campaign_inputs('demo').model
    changed = campaign_inputs('demo', {'model': {'kind': 'ani', 'n_members': 3}}).model
    assert changed == plain.model_copy(update={'n_members': 3})


def test_a_file_of_an_unknown_kind_is_one_sentence():
    content = TensorFile(FILE_KIND, SCHEMA_VERSION, {'model': {'kind': 'mace'}}, {'numbers': np.zeros(1)})
    with pytest.raises(FileFormatError, match=r"^file: model\.kind: unknown kind 'mace'; known kinds are"):
        parse_potential(tensor_bytes(content), source='file')


@pytest.mark.parametrize('settings', [EngineSettings(engine='numba'), EngineSettings(device='cuda')])
def test_an_engine_that_a_kind_has_not_is_one_sentence(settings):
    with pytest.raises(SettingsError, match="potentials of kind 'lennard_jones' are evaluated by numpy, not by"):
        make_engine(EXAMPLES['lennard_jones'](2), settings)


def test_a_property_of_the_example(tmp_path):
    """The lattice constant of FCC, which is known from a lattice sum."""
    model = lennard_jones.LennardJonesSettings(n_members=1, pair_cutoff_angstrom=12.0)
    write_potential(tmp_path / 'ensemble.safetensors', lennard_jones.LennardJones(model, np.array([[0.4, 2.6]])))
    (tmp_path / 'input.json').write_text(json.dumps({'property': 'lattice', 'labeller': {'kind': 'ensemble'}}))
    found = next(iter(property_job.run(Job.read(tmp_path))['quantities'].values()))
    # The nearest neighbours of an infinite crystal are 1.09 diameters away (Kittel, Introduction, Chapter 3).
    assert found['value'] == pytest.approx(1.0902 * 2.6 * np.sqrt(2), rel=1e-3)
