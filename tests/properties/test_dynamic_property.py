"""Properties from dynamics: what they are given, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.emt import EMT

from aiida_anial.common.errors import AnialError
from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Settings
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.properties.dynamic_property import DynamicProperty
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.shock_waves import ShockWaves, WavesSettings
from aiida_anial.shock.wave_dynamics import Wave
from aiida_anial.shock.wave_output import profiles_of


class Seen(DynamicProperty[Settings]):
    name = 'seen'
    defaults = Settings()
    columns = ()

    def run(self, requirements, calculator, runner):
        self.calculator = calculator
        return PropertyResult({'one': Quantity(1.0, '1')})


def test_ensembles_move_in_single_precision_and_others_as_they_are(make_ensemble):
    one, ensemble = Seen(Settings()), AnialCalculator(make_ensemble())
    one.measure({}, ensemble, DynamicsRunner())
    assert one.calculator._settings.dtype == 'float32'
    assert one.calculator.potential is ensemble.potential
    emt = EMT()
    one.measure({}, emt, DynamicsRunner())
    assert one.calculator is emt


def test_there_is_nothing_for_dft_to_evaluate():
    one = Seen(Settings())
    assert one.tasks({}) == {}
    with pytest.raises(AnialError, match='seen: it follows from dynamics'):
        one.analyse({}, {})


def moving_front(velocity: float, speed: float) -> Wave:
    """Return a wave whose front runs at ``speed`` in km/s from the piston, in a crystal of one atom in a slice."""
    times, positions = np.arange(20) * 0.05, np.arange(40) * 4.0 + 2.0
    columns = np.zeros((20, 40, 12))
    columns[..., 0] = 0.06
    behind = positions < 10 * speed * times[:, None]
    columns[..., 2] = np.where(behind, 0.0, -10 * velocity)
    columns[..., 4:7] = 4.0 + columns[..., 1:4] ** 2
    return Wave(profiles_of(times, positions, np.ones((20, 40)), columns), np.full(20, 30.0))


def test_the_state_behind_a_front_of_known_speed(monkeypatch):
    monkeypatch.setattr('aiida_anial.properties.shock_waves.equilibrated', lambda *_, **__: None)
    monkeypatch.setattr(
        'aiida_anial.properties.shock_waves.run_wave', lambda _, __, velocity: moving_front(velocity, 6.0)
    )
    lines: list[str] = []
    settings = WavesSettings(particle_velocities_km_s=(1.0, 1.5))
    result = ShockWaves(settings).measure({}, EMT(), DynamicsRunner(lines.append))
    for velocity in (1.0, 1.5):
        name = f'{round(1000 * velocity)}'
        # The front is seen in steps of a slice.
        assert result.quantities[f'shock_velocity_{name}'].value == pytest.approx(6 + velocity, rel=0.03)
        assert result.quantities[f'stress_{name}'] == Quantity(pytest.approx(30.0), 'GPa', pytest.approx(0.0))
        density = result.quantities[f'density_{name}'].value
        momentum = density * result.quantities[f'shock_velocity_{name}'].value * velocity
        assert result.quantities[f'stress_by_momentum_{name}'].value == pytest.approx(momentum)
    assert [line.split(': ')[1][:4] for line in lines] == ['brin', 'wave', 'wave']
    np.testing.assert_array_equal(result.curves['particle_velocity_km_s'], [1.0, 1.5])
    assert result.notes == ()
