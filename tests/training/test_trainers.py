"""Tests of the trainers of all kinds of potentials: one line in ``models`` applies them to a new kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from aiida_anial.common.errors import AnialError, FileFormatError, SettingsError
from aiida_anial.potential.potential import parse_potential, potential_bytes
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.training.errors import summarise, summarise_roles
from aiida_anial.training.settings import TrainingInterrupted, TrainingSettings
from aiida_anial.training.trainers import CURVES, TRAINERS, trainer_of

SETTINGS = TrainingSettings(max_steps=40, batch_size=6, evaluation_interval=20, checkpoint_interval_s=0.0)


@pytest.fixture(scope='module')
def models(small_model):
    """Settings of a small potential for each kind."""
    return {'ani': small_model}


def test_every_trainer_is_tested(models):
    assert set(models) == set(TRAINERS)


@pytest.fixture(params=sorted(TRAINERS))
def train(request, models, emt_data, tmp_path):
    """Return a function that trains on forty cells; keywords override its arguments."""

    def function(**overrides):
        arguments = {
            'model': models[request.param],
            'settings': SETTINGS,
            'seed': 3,
            'initial': None,
            'checkpoint': tmp_path / 'checkpoint.safetensors',
            'interrupted': lambda: False,
            'report': lambda text: None,
            'engine': EngineSettings(),
        }
        return trainer_of(request.param)(emt_data, **{**arguments, **overrides})

    return function


@dataclass
class StopAfter:
    """Asks the training to stop from the n-th call on, and counts the calls."""

    n_questions: float = float('inf')
    asked: int = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > self.n_questions


def test_training_lowers_the_loss_and_tells_how(train, emt_data):
    lines = []
    result = train(report=lines.append)
    assert set(result.curves) == {'step', *CURVES}
    n_members = result.ensemble.model.n_members
    loss = result.curves['train_loss']
    assert loss.shape == (n_members, len(result.curves['step']))
    assert (loss[:, -1] < loss[:, 0]).all()
    assert lines
    assert len(result.errors) == len(emt_data)
    errors = {**summarise(result.errors), **summarise_roles(result.errors)}
    assert {key: result.summary[key] for key in errors} == errors
    assert [set(member) >= {'seed', 'best_step'} for member in result.summary['members']] == [True] * n_members


def test_the_file_of_what_was_trained_comes_back(train):
    trained = train().ensemble
    read = parse_potential(potential_bytes(trained), source='file')
    assert read.model == trained.model
    assert potential_bytes(read) == potential_bytes(trained)


def test_the_seed_decides_and_members_differ(train, tmp_path):
    first = train()
    again = train(checkpoint=tmp_path / 'again')
    other = train(checkpoint=tmp_path / 'other', seed=4)
    assert potential_bytes(again.ensemble) == potential_bytes(first.ensemble) != potential_bytes(other.ensemble)
    assert (first.errors.energy_disagreement > 0).all()


@pytest.mark.parametrize('fraction', [0.3, 0.7, 0.95])
def test_an_interrupted_training_continues_to_the_same_bits(train, tmp_path, fraction):
    questions = StopAfter()
    whole = train(interrupted=questions)
    stopped = tmp_path / 'stopped'
    with pytest.raises(TrainingInterrupted):
        train(checkpoint=stopped, interrupted=StopAfter(int(fraction * questions.asked)))
    continued = train(checkpoint=stopped)
    assert potential_bytes(continued.ensemble) == potential_bytes(whole.ensemble)
    assert continued.summary == whole.summary
    for name, curve in whole.curves.items():
        np.testing.assert_array_equal(continued.curves[name], curve)


def test_a_checkpoint_of_another_training_is_refused(train, tmp_path):
    questions = StopAfter()
    train(interrupted=questions, checkpoint=tmp_path / 'whole')
    stopped = tmp_path / 'stopped'
    with pytest.raises(TrainingInterrupted):
        train(checkpoint=stopped, interrupted=StopAfter(questions.asked - 2))
    with pytest.raises(FileFormatError):
        train(checkpoint=stopped, seed=4)


def test_a_warm_start_begins_where_the_first_training_ended(train, tmp_path):
    first = train()
    warm = train(initial=first.ensemble, checkpoint=tmp_path / 'warm')
    assert np.median(warm.curves['train_loss'][:, 0]) < 0.9 * np.median(first.curves['train_loss'][:, 0])
    one = first.ensemble.member(0)
    with pytest.raises(AnialError, match='architecture'):
        train(initial=one, checkpoint=tmp_path / 'other')


def test_an_unknown_kind_is_one_sentence():
    with pytest.raises(SettingsError, match=r"^model\.kind: unknown kind 'mace'; known kinds are ani\.$"):
        trainer_of('mace')
