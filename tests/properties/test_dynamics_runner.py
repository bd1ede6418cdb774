"""Dynamics that is interrupted goes on, and ends as if it had not been."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from aiida_anial.common.errors import AnialError
from aiida_anial.properties.dynamics_runner import DynamicsInterrupted, DynamicsRunner


def crystal() -> Atoms:
    atoms = bulk('Al', cubic=True) * 2
    thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(1))
    atoms.calc = EMT()
    return atoms


def run(runner: DynamicsRunner, name: str = 'hot') -> tuple[Atoms, dict[str, np.ndarray]]:
    atoms = crystal()
    found = runner.stretch(
        name,
        atoms,
        lambda atoms: VelocityVerlet(atoms, 2 * units.fs),
        time_ps=0.1,
        time_step_fs=2.0,
        interval_fs=10.0,
        observe=lambda atoms: {'energy': atoms.get_potential_energy(), 'positions': atoms.get_positions()},
    )
    return atoms, found


def test_a_stretch_observes_at_its_interval():
    lines: list[str] = []
    atoms, found = run(DynamicsRunner(lines.append))
    assert found['energy'].shape == (10,)
    assert found['positions'].shape == (10, 32, 3)
    np.testing.assert_array_equal(found['positions'][-1], atoms.positions)
    expected = crystal()
    VelocityVerlet(expected, 2 * units.fs).run(50)
    np.testing.assert_allclose(atoms.positions, expected.positions, atol=1e-12)
    assert lines[-1] == 'hot: 0.1 of 0.1 ps'


@pytest.mark.parametrize('calls', [1, 4, 9])
def test_a_stretch_that_was_interrupted_ends_as_a_whole_one(tmp_path, calls):
    path, number = tmp_path / 'checkpoint.safetensors', count(1)
    with pytest.raises(DynamicsInterrupted, match='hot'):
        run(DynamicsRunner(checkpoint=path, fingerprint='a', interrupted=lambda: next(number) >= calls))
    after, found = run(DynamicsRunner(checkpoint=path, fingerprint='a'))
    whole, expected = run(DynamicsRunner())
    np.testing.assert_allclose(after.positions, whole.positions, atol=1e-9)
    np.testing.assert_allclose(after.get_momenta(), whole.get_momenta(), atol=1e-9)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-8)


def test_what_is_done_is_not_done_again(tmp_path):
    path, calls = tmp_path / 'checkpoint.safetensors', []

    def make() -> dict[str, float]:
        calls.append(1)
        return {'one': 1.5}

    with pytest.raises(DynamicsInterrupted):
        DynamicsRunner(checkpoint=path, interrupted=lambda: True).once('1 km/s', make)
    again = DynamicsRunner(checkpoint=path)
    assert again.once('1 km/s', make)['one'].tolist() == [1.5]
    run(again)
    run(DynamicsRunner(checkpoint=path, interrupted=lambda: True))
    assert len(calls) == 1


def test_the_checkpoint_of_another_dynamics_is_refused(tmp_path):
    path = tmp_path / 'checkpoint.safetensors'
    run(DynamicsRunner(checkpoint=path, fingerprint='a'))
    with pytest.raises(AnialError, match='belongs to a dynamics with other inputs'):
        DynamicsRunner(checkpoint=path, fingerprint='b')
