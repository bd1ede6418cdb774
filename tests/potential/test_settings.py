import math

import pytest

from aiida_anial.common.errors import SettingsError
from aiida_anial.potential.settings import DescriptorSettings, ModelSettings


def test_defaults_are_those_of_ani_al():
    model = ModelSettings()
    assert model.layer_sizes == (96, 96, 96, 64, 1)
    assert (model.descriptor.n_radial, model.descriptor.n_angular) == (32, 64)
    # The ends of the published lists of shifts.
    assert model.descriptor.radial_shifts_angstrom[-1] == pytest.approx(6.8203125, abs=0)
    assert model.descriptor.angular_shifts_angstrom[-1] == pytest.approx(4.53125, abs=0)
    assert model.descriptor.angle_shifts_rad[0] == pytest.approx(1.9634954e-01, abs=1e-8)
    assert model.descriptor.angle_shifts_rad[-1] == pytest.approx(2.9452431, abs=1e-7)


def test_round_trip_through_plain_values():
    model = ModelSettings(descriptor=DescriptorSettings(angular_zeta=12.5), hidden_layers=(4,), n_members=1)
    assert ModelSettings.parse(model.to_dict()) == model


@pytest.mark.parametrize(
    ('values', 'key'),
    [
        ({'descriptor': {'angular_cutoff_angstrom': 7.5}}, 'angular_cutoff_angstrom'),
        ({'descriptor': {'radial_shifts_angstrom': [2.0, 1.0]}}, 'radial_shifts_angstrom'),
        ({'descriptor': {'radial_shifts_angstrom': []}}, 'radial_shifts_angstrom'),
        ({'descriptor': {'angle_shifts_rad': [0.1, math.pi + 0.1]}}, 'angle_shifts_rad'),
        ({'descriptor': {'angular_eta_per_angstrom2': 60.0}}, 'angular_eta_per_angstrom2'),
        ({'descriptor': {'angular_zeta': 0.5}}, 'angular_zeta'),
        ({'hidden_layers': []}, 'hidden_layers'),
        ({'hidden_layers': [8, 0]}, 'hidden_layers'),
        ({'element': 'aluminium'}, 'element'),
        ({'n_members': 0}, 'n_members'),
        ({'celu_alpha': 0}, 'celu_alpha'),
        ({'members': 3}, 'members'),
    ],
)
def test_impossible_settings_are_named(values, key):
    with pytest.raises(SettingsError, match=key):
        ModelSettings.parse(values, where='model')
