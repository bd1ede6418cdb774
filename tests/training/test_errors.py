"""Errors on configurations, by an engine with known predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import Prediction
from aiida_anial.training import errors as errors_module
from aiida_anial.training.errors import ConfigurationErrors, configuration_errors, summarise, summarise_roles
from aiida_anial.training.parameters import draw_parameters, to_ensemble
from aiida_anial.training.splits import Role, roles

ENERGY_SHIFTS = np.array([0.1, 0.3])
FORCE_SHIFTS = np.array([0.2, -0.4])
STRESS_SHIFT = 0.01


class ShiftingEngine:
    """Engine of two members that predict the labels plus constants."""

    def __init__(self, data):
        self.data = data
        self.calls = 0

    def evaluate(self, cells, *, neighbours=None, forces=True, stress=False, member_forces=False):
        self.calls += 1
        find = {positions.tobytes(): index for index, (positions, _) in enumerate(self.data.cells)}
        indices = [find[positions.tobytes()] for positions, _ in cells]
        labels = np.concatenate([self.data.forces_of(index) for index in indices])
        member_energies = self.data.energies[indices] + ENERGY_SHIFTS[:, None] * cells.n_atoms
        shifted = labels + FORCE_SHIFTS[:, None, None]
        stresses = self.data.stresses[indices] + STRESS_SHIFT
        return Prediction(
            cells.n_atoms, member_energies.mean(axis=0), member_energies, shifted.mean(axis=0), stresses, shifted
        )


def first(data, n_cells):
    """Return the first configurations of ``data``."""
    return LabelledCells(
        cells=data.cells.select(range(n_cells)),
        energies=data.energies[:n_cells],
        forces=data.forces[: data.cells.offsets[n_cells]],
        stresses=data.stresses[:n_cells],
        uuids=data.uuids[:n_cells],
        iterations=data.iterations[:n_cells],
        origins=data.origins[:n_cells],
    )


@pytest.fixture
def ensemble(small_model):
    model = small_model.model_copy(update={'n_members': 2})
    drawn = [draw_parameters(model, seed=1, member=m, attempt=0, feature_norm=1.0) for m in range(2)]
    return to_ensemble(torch.as_tensor(np.stack(drawn)), model, self_energy=0.0)


@pytest.fixture
def errors(emt_data, ensemble):
    return configuration_errors(ensemble, emt_data, ShiftingEngine(emt_data))


def test_per_configuration(emt_data, errors):
    n_atoms = emt_data.cells.n_atoms
    np.testing.assert_allclose(errors.energy_errors, 0.2 * n_atoms)
    np.testing.assert_allclose(errors.member_energy_errors, ENERGY_SHIFTS[:, None] * n_atoms)
    # The sample standard deviation of two values 0.2 apart is 0.2 / sqrt(2); of the energy, times n / sqrt(n).
    np.testing.assert_allclose(errors.energy_disagreement, 0.2 / np.sqrt(2) * np.sqrt(n_atoms))
    for name in ('force_rmse', 'force_max_error', 'force_mae'):
        np.testing.assert_allclose(getattr(errors, name), 0.1)
    for name in ('force_disagreement_mean', 'force_disagreement_max'):
        np.testing.assert_allclose(getattr(errors, name), 0.6 / np.sqrt(2))
    np.testing.assert_allclose(errors.stress_rmse, STRESS_SHIFT)
    for name in ('member_force_rmse', 'member_force_mae'):
        np.testing.assert_allclose(getattr(errors, name), np.abs(FORCE_SHIFTS)[:, None] * np.ones(len(errors)))
    np.testing.assert_array_equal(errors.roles, roles(emt_data.hashes(), 2))


def test_pieces_give_the_same_as_the_whole(emt_data, ensemble, errors, monkeypatch):
    monkeypatch.setattr(errors_module, '_MAX_ATOMS', 20)
    engine = ShiftingEngine(emt_data)
    pieces = configuration_errors(ensemble, emt_data, engine)
    assert engine.calls > 5
    np.testing.assert_array_equal(pieces.member_energies, errors.member_energies)
    np.testing.assert_array_equal(pieces.force_rmse, errors.force_rmse)


def test_summary(errors):
    summary = summarise(errors)
    assert summary['n_configurations'] == 40
    assert summary['energy_rmse_mev_per_atom'] == pytest.approx(200)
    assert summary['energy_mae_mev_per_atom'] == pytest.approx(200)
    assert summary['force_rmse_ev_per_angstrom'] == pytest.approx(0.1)
    assert summary['stress_rmse_ev_per_angstrom3'] == pytest.approx(STRESS_SHIFT)
    assert summary['mean_force_disagreement_ev_per_angstrom'] == pytest.approx(0.6 / np.sqrt(2))


@pytest.mark.parametrize('sign', [1, -1])
def test_rank_correlation(errors, sign):
    true_errors = np.abs(errors.energy_errors) / np.sqrt(errors.n_atoms)
    ordered = replace(errors, energy_disagreement=np.exp(sign * true_errors))
    assert summarise(ordered)['energy_rank_correlation'] == pytest.approx(sign)
    assert summarise(replace(errors, energy_disagreement=0 * true_errors))['energy_rank_correlation'] is None


def test_pooled_over_members(errors):
    summary = summarise_roles(errors)
    for role in Role:
        mask = errors.roles == role
        shifts = np.broadcast_to(ENERGY_SHIFTS[:, None], mask.shape)[mask]
        pooled = summary[role.name.lower()]
        assert pooled['energy_rmse_mev_per_atom'] == pytest.approx(1e3 * np.sqrt((shifts**2).mean()))
        assert pooled['n_configurations'] == mask.any(axis=0).sum()
    held = [
        ENERGY_SHIFTS[m] * np.sqrt(errors.n_atoms[c]) for m, c in np.argwhere(errors.roles == Role.VALIDATION).tolist()
    ]
    assert summary['median_heldout_error_ev_per_sqrt_atom'] == pytest.approx(np.median(held))


def test_force_errors_are_weighed_by_atoms(emt_data, ensemble):
    class OneWrong(ShiftingEngine):
        def evaluate(self, cells, **keywords):
            prediction = super().evaluate(cells, **keywords)
            prediction.member_forces[:] -= FORCE_SHIFTS[:, None, None]
            prediction.forces[:] += 0.1
            prediction.forces[0, 0] += 2.0
            return prediction

    errors = configuration_errors(ensemble, emt_data, OneWrong(emt_data))
    n_atoms = emt_data.cells.n_atoms
    assert errors.force_rmse[0] == pytest.approx(np.sqrt(4.0 / (3 * n_atoms[0])))
    assert errors.force_max_error[0] == pytest.approx(2.0)
    assert errors.force_mae[0] == pytest.approx(2.0 / (3 * n_atoms[0]))
    assert summarise(errors)['force_rmse_ev_per_angstrom'] == pytest.approx(np.sqrt(4.0 / (3 * n_atoms.sum())))


def test_numbers_without_configurations_are_none(emt_data, ensemble):
    data = first(emt_data, 1)
    summary = summarise_roles(configuration_errors(ensemble, data, ShiftingEngine(data)))
    present = [role.name.lower() for role in Role if summary[role.name.lower()]['n_configurations']]
    for name in {'train', 'validation', 'test'} - {*present}:
        assert summary[name]['energy_rmse_mev_per_atom'] is None
    assert summarise(configuration_errors(ensemble, data, ShiftingEngine(data)))['energy_rank_correlation'] is None


def test_no_configurations(ensemble, emt_data):
    empty = first(emt_data, 0)
    with pytest.raises(AnialError, match='no labelled configurations'):
        configuration_errors(ensemble, empty, ShiftingEngine(empty))


def test_file(errors, tmp_path):
    errors.write(tmp_path / 'errors.safetensors')
    again = ConfigurationErrors.read(tmp_path / 'errors.safetensors')
    np.testing.assert_array_equal(again.member_energies, errors.member_energies)
    np.testing.assert_array_equal(again.roles, errors.roles)
