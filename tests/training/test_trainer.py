"""Complete trainings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.potential.potential import potential_bytes
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.training.problem import Problem, configuration_weights
from aiida_anial.training.settings import TrainingFailed, TrainingInterrupted, TrainingSettings
from aiida_anial.training.trainer import train_ensemble

SETTINGS = TrainingSettings(max_steps=30, batch_size=6, evaluation_interval=8, learning_rate=5e-3)


@pytest.fixture
def train(emt_data, small_model, tmp_path):
    """Return a function that trains on forty cells; keywords override its arguments."""

    def function(settings=SETTINGS, **overrides):
        arguments = {
            'model': small_model,
            'seed': 3,
            'initial': None,
            'checkpoint': tmp_path / 'checkpoint.safetensors',
            'interrupted': lambda: False,
            'report': lambda text: None,
        }
        arguments |= overrides
        return train_ensemble(arguments.pop('data', emt_data), settings=settings, **arguments)

    return function


class StopAfter:
    """Asks the training to stop on the n-th call."""

    def __init__(self, n_questions):
        self.left = n_questions

    def __call__(self):
        self.left -= 1
        return self.left < 0


def test_learns(train, emt_data):
    lines = []
    result = train(SETTINGS.model_copy(update={'max_steps': 300, 'evaluation_interval': 50}), report=lines.append)
    for name in ('train_force_rmse', 'validation_force_rmse'):
        assert np.nanmedian(result.curves[name][:, -1]) < 0.25 * np.nanmedian(result.curves[name][:, 0])
    size_of_forces = np.sqrt((emt_data.forces**2).mean())
    assert result.summary['validation']['force_rmse_ev_per_angstrom'] < 0.25 * size_of_forces
    assert result.curves['step'].tolist() == [0, 50, 100, 150, 200, 250, 300]
    assert any(line.startswith('step 300 of 300: train') for line in lines)


def test_curves_and_final_errors_agree(train):
    """The curves come from Jacobians, the errors from the engine that dynamics will use."""
    result = train(engine=EngineSettings(dtype='float64'))
    members = result.summary['members']
    positions = [result.curves['step'].tolist().index(member['best_step']) for member in members]
    errors = result.errors
    for member, position in enumerate(positions):
        mask = errors.roles[member] == 0
        squares = ((errors.member_energy_errors[member] / errors.n_atoms) ** 2)[mask]
        assert 1e3 * np.sqrt(squares.mean()) == pytest.approx(result.curves['train_energy_rmse'][member, position])
        forces = np.average(errors.member_force_rmse[member][mask] ** 2, weights=errors.n_atoms[mask])
        assert np.sqrt(forces) == pytest.approx(result.curves['train_force_rmse'][member, position])


def test_each_member_is_taken_at_its_best_evaluation(train):
    # A learning rate so high that the loss fluctuates.
    result = train(SETTINGS.model_copy(update={'learning_rate': 0.03, 'final_learning_rate': 0.03}))
    curves, members = result.curves, result.summary['members']
    best = np.nanargmin(curves['selection_loss'], axis=1)
    assert [member['best_step'] for member in members] == curves['step'][best].tolist()
    assert (best < len(curves['step']) - 1).any()


def test_the_same_seed_gives_the_same_bytes(train):
    first = potential_bytes(train().ensemble)
    assert potential_bytes(train().ensemble) == first
    assert potential_bytes(train(seed=4).ensemble) != first


def test_memory_does_not_change_the_result(train):
    first = potential_bytes(train().ensemble)
    for memory_gib in (0.0, 2e-4):
        assert potential_bytes(train(SETTINGS.model_copy(update={'memory_gib': memory_gib})).ensemble) == first


@pytest.mark.parametrize('schedule', ['cosine', 'plateau'])
@pytest.mark.parametrize('step', [1, 8, 13, 30])
def test_interrupted_and_continued_equals_uninterrupted(train, emt_data, tmp_path, step, schedule):
    settings = SETTINGS.model_copy(
        update={'schedule': schedule, 'plateau_evaluations': 1, 'final_learning_rate': 1e-3, 'learning_rate': 0.02}
    )
    checkpoint = tmp_path / 'other.safetensors'
    with pytest.raises(TrainingInterrupted, match=f'stopped at step {step} of 30'):
        train(settings, checkpoint=checkpoint, interrupted=StopAfter(len(emt_data) + step))
    with pytest.raises(TrainingInterrupted):  # interrupted while descriptors are computed: the checkpoint stays
        train(settings, checkpoint=checkpoint, interrupted=StopAfter(3))
    continued, whole = train(settings, checkpoint=checkpoint), train(settings)
    assert potential_bytes(continued.ensemble) == potential_bytes(whole.ensemble)
    for name, curve in whole.curves.items():
        np.testing.assert_array_equal(continued.curves[name], curve)
    assert continued.summary == whole.summary


def test_interrupted_before_the_first_step(train, tmp_path):
    checkpoint = tmp_path / 'checkpoint.safetensors'
    with pytest.raises(TrainingInterrupted, match='before the first step'):
        train(interrupted=StopAfter(3))
    assert not checkpoint.exists()


def test_checkpoints_are_written_on_the_way(train, tmp_path):
    train(SETTINGS.model_copy(update={'checkpoint_interval_s': 0.0}))
    assert (tmp_path / 'checkpoint.safetensors').exists()


def test_a_foreign_checkpoint_is_refused(train, tmp_path):
    with pytest.raises(TrainingInterrupted):
        train(interrupted=StopAfter(45))
    with pytest.raises(FileFormatError, match='other data, settings or seed'):
        train(seed=99)


def test_warm_start(train):
    first = train(SETTINGS.model_copy(update={'max_steps': 100}))
    gentle = SETTINGS.model_copy(update={'max_steps': 8, 'learning_rate': 1e-5, 'final_learning_rate': 1e-5})
    second = train(gentle, initial=first.ensemble)
    assert second.ensemble.self_energy == first.ensemble.self_energy
    start = second.curves['train_force_rmse'][:, 0]
    np.testing.assert_allclose(start, first.curves['train_force_rmse'][:, -1], rtol=0.2)
    for old, new in zip(first.ensemble.weights, second.ensemble.weights, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-4)


def test_a_warm_start_wants_the_same_architecture(train, small_model):
    other = small_model.model_copy(update={'hidden_layers': (4,)})
    ensemble = train(SETTINGS.model_copy(update={'max_steps': 1}), model=other).ensemble
    with pytest.raises(AnialError, match='another architecture'):
        train(initial=ensemble, checkpoint=None)


def test_an_absurd_learning_rate_fails_in_one_sentence(train):
    with pytest.raises(TrainingFailed, match=r'^training: 8 of 8 members diverged; lower .*\.$'):
        train(SETTINGS.model_copy(update={'learning_rate': 1e4, 'final_learning_rate': 1e4}))


def diverging(monkeypatch, attempts, how):
    """Make member 5 diverge in its first ``attempts`` attempts, by its initial weights."""
    original = Problem.initial_parameters

    def patched(self, members, *, attempt):
        parameters = original(self, members, attempt=attempt)
        if attempt < attempts:
            parameters[members == 5] *= how
        return parameters

    monkeypatch.setattr(Problem, 'initial_parameters', patched)


@pytest.mark.parametrize('how', [300.0, 1e25, float('nan')])
def test_a_diverged_member_is_trained_again(train, monkeypatch, how):
    whole = train()
    diverging(monkeypatch, 1, how)
    result = train()
    members = result.summary['members']
    assert [member['attempts'] for member in members] == [1, 1, 1, 1, 1, 2, 1, 1]
    assert members[5]['seed'] == [3, 5, 1]
    for name, curve in result.curves.items():
        if name != 'step':
            assert np.isfinite(curve[5]).all()
            np.testing.assert_allclose(np.delete(curve, 5, 0), np.delete(whole.curves[name], 5, 0), rtol=1e-3)


def test_a_retrained_member_survives_an_interruption(train, monkeypatch, tmp_path):
    diverging(monkeypatch, 1, 1e25)
    whole = train()
    checkpoint = tmp_path / 'other.safetensors'
    with pytest.raises(TrainingInterrupted):
        train(checkpoint=checkpoint, interrupted=StopAfter(40 + 31 + 11))
    continued = train(checkpoint=checkpoint)
    assert potential_bytes(continued.ensemble) == potential_bytes(whole.ensemble)


def test_a_member_that_always_diverges_fails_in_one_sentence(train, monkeypatch):
    diverging(monkeypatch, 9, 1e25)
    with pytest.raises(TrainingFailed, match='member 5 diverged in all of its 3 attempts'):
        train(SETTINGS.model_copy(update={'max_restarts': 2}))


def test_members_stop_early(train):
    settings = SETTINGS.model_copy(
        update={'max_steps': 400, 'learning_rate': 0.05, 'final_learning_rate': 0.05, 'early_stopping_evaluations': 2}
    )
    curves = train(settings).curves
    assert curves['step'][-1] < 400
    assert np.isfinite(curves['selection_loss'][:, -1]).any()
    for curve in curves['selection_loss']:
        done = curve[np.isfinite(curve)]
        assert len(done) - 1 - np.argmin(done) == 2


def test_plateau_halves_and_stops(train):
    settings = SETTINGS.model_copy(
        update={
            'max_steps': 800,
            'schedule': 'plateau',
            'plateau_evaluations': 2,
            'learning_rate': 0.04,
            'final_learning_rate': 0.01,
        }
    )
    curves = train(settings).curves
    assert curves['step'][-1] < 800
    for curve in curves['learning_rate']:
        done = curve[np.isfinite(curve)]
        assert sorted({*done}, reverse=True) == [0.04, 0.02, 0.01]


def first(data, n_cells):
    return type(data)(
        cells=data.cells.select(range(n_cells)),
        energies=data.energies[:n_cells],
        forces=data.forces[: data.cells.offsets[n_cells]],
        stresses=data.stresses[:n_cells],
        uuids=data.uuids[:n_cells],
        iterations=data.iterations[:n_cells],
        origins=data.origins[:n_cells],
    )


def test_three_configurations_train(train, emt_data):
    result = train(data=first(emt_data, 3))
    assert np.isfinite(result.errors.member_energies).all()


def test_one_configuration_is_too_few(train, emt_data):
    with pytest.raises(AnialError, match=r'member \d would have nothing to train on among 1 labelled'):
        train(data=first(emt_data, 1))


def test_stress_weight_improves_stress(train):
    settings = SETTINGS.model_copy(update={'max_steps': 200, 'force_weight': 1.0, 'stress_weight': 0.0})
    without = train(settings).summary['stress_rmse_ev_per_angstrom3']
    with_stress = train(settings.model_copy(update={'stress_weight': 1.0})).summary['stress_rmse_ev_per_angstrom3']
    assert with_stress < without


def test_the_weight_of_stress_changes_along_half_a_period():
    settings = SETTINGS.model_copy(update={'max_steps': 4, 'stress_weight': 0.1, 'final_stress_weight': 0.5})
    weights = [settings.stress_weight_at(step) for step in range(6)]
    half = 0.2 / np.sqrt(2)
    np.testing.assert_allclose(weights, [0.1, 0.3 - half, 0.3, 0.3 + half, 0.5, 0.5], rtol=1e-12)
    assert SETTINGS.stress_weight_at(20) == SETTINGS.stress_weight


def test_the_final_weight_of_stress_decides(train):
    settings = SETTINGS.model_copy(update={'max_steps': 200, 'force_weight': 1.0, 'stress_weight': 0.0})
    without = train(settings).summary['stress_rmse_ev_per_angstrom3']
    changed = train(settings.model_copy(update={'final_stress_weight': 1.0}))
    assert changed.summary['stress_rmse_ev_per_angstrom3'] < without


def test_weights_fall_with_the_force(emt_data):
    weights = configuration_weights(emt_data, 0.5)
    force = [np.sqrt((emt_data.forces_of(index) ** 2).mean()) for index in range(len(emt_data))]
    expected = 0.25 / (0.25 + np.square(force))
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-12)
    assert (configuration_weights(emt_data, None) == 1).all()


def test_force_scale_favours_configurations_near_equilibrium(train, emt_data):
    def ratio(force_scale):
        errors = train(settings.model_copy(update={'force_scale_ev_per_angstrom': force_scale})).errors.force_rmse
        return errors[gentle].mean() / errors[~gentle].mean()

    settings = SETTINGS.model_copy(update={'max_steps': 300})
    weights = configuration_weights(emt_data, 0.2)
    gentle = weights > np.median(weights)
    assert ratio(0.2) < ratio(None)


def test_curves_have_the_weighted_loss(train, emt_data):
    settings = SETTINGS.model_copy(update={'max_steps': 1, 'force_scale_ev_per_angstrom': 1.0, 'stress_weight': 0.0})
    result = train(settings)
    errors = result.errors
    loss = errors.member_energy_errors**2 + 4.0 * 3 * errors.n_atoms * errors.member_force_rmse**2
    trained = np.where(errors.roles == 0, loss * configuration_weights(emt_data, 1.0), np.nan)
    best = [
        curve[list(result.curves['step']).index(one['best_step'])]
        for curve, one in zip(result.curves['train_loss'], result.summary['members'], strict=True)
    ]
    np.testing.assert_allclose(np.nanmean(trained, axis=1), best, rtol=1e-4)


def test_threads_and_precision_are_those_of_the_engine(train):
    result = train(SETTINGS.model_copy(update={'max_steps': 2}), engine=EngineSettings(dtype='float64'))
    assert {weight.dtype for weight in result.ensemble.weights} == {np.dtype(np.float64)}
    assert torch.get_default_dtype() == torch.float32
