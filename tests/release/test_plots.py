"""The plots show the right numbers, and have the same bytes in every run."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from aiida_anial.report.claims import Claims
from aiida_anial.report.parity import parity_on_test_blocks
from aiida_anial.report.plots import claims_figure, iterations_figure, learning_figure, parity_figure, write_plots
from aiida_anial.training.errors import ConfigurationErrors
from aiida_anial.training.splits import Role, roles

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from aiida_anial.report.plots import write_plots
from aiida_anial.report.claims import Claims
from aiida_anial.report.parity import Parity
exec(sys.argv[2])
folder = Path(sys.argv[1])
folder.mkdir()
one = np.arange(3)
rows = [{'index': 0, 'n_labels': 3, 'n_trajectories': 0, 'n_stopped': 0, 'median_time_ps': None,
         'threshold_ev_per_sqrt_atom': None,
         'fresh_energy_rmse_mev_per_atom': None, 'test_energy_rmse_mev_per_atom': 4.0,
         'fresh_force_rmse_ev_per_angstrom': None, 'test_force_rmse_ev_per_angstrom': 0.3}]
labels = [{'origin': origin, 'density_g_per_cm3': 2.0, 'energy_per_atom_ev': -1.0} for origin in ('random', 'imported')]
curves = {'step': one} | {f'{role}_{key}_rmse': one + np.ones((2, 1)) for role in ('train', 'validation')
                          for key in ('energy', 'force')}
claims = Claims(one, one + 1.0, one + 2.0, one + 1.0, one + 0.5)
parity = Parity(one, one, one + 1, one * 1.0, one + 0.5, np.ones((6, 3)), np.zeros((6, 3)))
write_plots(folder, iterations=rows, labels=labels, curves=curves, parity=parity, claims=claims)
"""


def written(folder, *, seed, before=''):
    environment = {**os.environ, 'PYTHONHASHSEED': str(seed)}
    subprocess.run([sys.executable, '-c', SCRIPT, str(folder), before], env=environment, check=True, timeout=120)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_data_give_the_same_bytes_whatever_the_style_of_the_user(tmp_path):
    first = written(tmp_path / 'first', seed=1)
    own_style = "import matplotlib; matplotlib.rcParams.update({'font.size': 30, 'svg.hashsalt': None})"
    assert written(tmp_path / 'second', seed=2, before=own_style) == first
    names = {
        f'{name}.{suffix}'
        for name in ('iterations', 'energy_density', 'learning_curves', 'parity', 'claimed_errors')
        for suffix in ('png', 'svg')
    }
    assert set(first) == names
    assert not any(b'2026' in content and b'<dc:date>' in content for content in first.values())


def test_the_style_of_the_user_is_left_alone(tmp_path):
    with matplotlib.rc_context({'font.size': 30}):
        labels = [{'origin': 'random', 'density_g_per_cm3': 2.0, 'energy_per_atom_ev': -1.0}]
        write_plots(tmp_path, iterations=[], labels=labels, curves=_curves(), parity=None, claims=None)
        assert matplotlib.rcParams['font.size'] == 30
    assert not (tmp_path / 'parity.png').exists()


def _curves():
    values = np.array([[3.0, 2.0, 1.0], [30.0, 20.0, 10.0]])
    names = ('train_energy_rmse', 'validation_energy_rmse', 'train_force_rmse', 'validation_force_rmse')
    return {'step': np.array([0, 5, 10]), **{name: values * factor for factor, name in enumerate(names, start=1)}}


def test_learning_curves_are_the_median_and_the_range_of_the_members():
    energies, forces = learning_figure(_curves()).axes
    assert [line.get_ydata().tolist() for line in energies.lines] == [[16.5, 11, 5.5], [33, 22, 11]]
    assert forces.lines[1].get_ydata().tolist() == [66, 44, 22]
    corners = energies.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 30)
    texts = [text.get_text() for text in energies.get_legend().get_texts()]
    assert texts == ['train, median', 'all members', 'validation, median', 'all members']


def test_missing_values_of_an_iteration_are_gaps():
    keys = ('median_time_ps', 'threshold_ev_per_sqrt_atom', 'fresh_energy_rmse_mev_per_atom')
    keys += ('test_energy_rmse_mev_per_atom', 'fresh_force_rmse_ev_per_angstrom', 'test_force_rmse_ev_per_angstrom')
    rows = [
        {'index': 0, 'n_labels': 10, 'n_trajectories': 0, 'n_stopped': 0, **dict.fromkeys(keys)},
        {'index': 1, 'n_labels': 5, 'n_trajectories': 4, 'n_stopped': 1, **dict.fromkeys(keys, 2.5)},
    ]
    axes = iterations_figure(rows).axes
    assert [bar.get_height() for bar in axes[0].patches] == [10, 15]
    np.testing.assert_array_equal(axes[3].lines[0].get_ydata(), [np.nan, 0.25])
    np.testing.assert_array_equal(axes[4].lines[0].get_ydata(), [np.nan, 2.5])


def test_parity_is_of_the_member_that_the_block_tests(make_ensemble, make_labelled):
    ensemble, labelled = make_ensemble(), make_labelled(60)
    parity = parity_on_test_blocks(ensemble, labelled)
    of_member = roles(labelled.hashes(), ensemble.n_members)
    pairs = set(zip(parity.members.tolist(), parity.rows.tolist(), strict=True))
    assert pairs == {tuple(pair) for pair in np.argwhere(of_member == Role.TEST).tolist()} != set()
    np.testing.assert_array_equal(parity.energies, labelled.energies[parity.rows])
    energies, forces = parity_figure(parity).axes
    diagonal, points = energies.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_allclose(points.get_xdata(), labelled.energies[parity.rows] / 4)
    assert len(forces.lines[1].get_xdata()) == 12 * len(parity)
    rows = list(parity.records(labelled))
    squares = [row['force_rmse_ev_per_angstrom'] ** 2 for row in rows]
    assert np.sqrt(np.mean(squares)) == pytest.approx(parity.force_rmse_ev_per_angstrom)


def test_without_a_configuration_in_a_test_block_there_is_no_parity(make_ensemble, make_labelled):
    labelled = make_labelled(60)
    of_member = roles(labelled.hashes(), 2)
    assert (
        parity_on_test_blocks(make_ensemble(), labelled.select(np.flatnonzero((of_member != Role.TEST).all(axis=0))))
        is None
    )


def _errors(energy_factor, force_factor, *, n=6):
    """Return errors of eight members on cells of four atoms, in units of a disagreement that rises from 0.01."""
    disagreement = 0.01 * np.arange(1.0, n + 1)
    unused = np.zeros(n)
    return ConfigurationErrors(
        n_atoms=np.full(n, 4),
        label_energies=unused,
        member_energies=np.tile(energy_factor * disagreement * 2, (8, 1)),
        energy_disagreement=disagreement,
        force_rmse=force_factor * disagreement,
        force_max_error=unused,
        force_mae=unused,
        force_disagreement_mean=disagreement,
        force_disagreement_max=unused,
        stress_rmse=unused,
        member_force_rmse=np.zeros((8, n)),
        member_force_mae=np.zeros((8, n)),
        roles=np.zeros((8, n), dtype=np.int8),
    )


def test_a_claim_uses_the_factors_of_the_iteration_before():
    """True errors double from iteration to iteration: all are above the claims, by sqrt(7 / 5) * 2."""
    claims = Claims.of({3: _errors(4.0, 8.0), 1: _errors(1.0, 2.0), 2: _errors(2.0, 4.0)})
    assert claims.iterations.tolist() == [2] * 6 + [3] * 6
    np.testing.assert_allclose(claims.energies / claims.claimed_energies, 2 * np.sqrt(7 / 5))
    np.testing.assert_allclose(claims.forces / claims.claimed_forces, 2 * np.sqrt(7 / 5))
    # 20 meV of each sqrt(atom) over a claim of 10 sqrt(5 / 7), with sqrt(4) atoms.
    np.testing.assert_allclose(claims.energies[:2], [10.0, 20.0])
    energies, forces, _ = claims_figure(claims).axes
    assert energies.get_title() == forces.get_title() == '0% of 12 below the claim'


def test_one_iteration_claims_nothing():
    assert Claims.of({1: _errors(1.0, 1.0)}) is None
