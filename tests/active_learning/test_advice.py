"""What cannot be meant is refused, and what is unusual is said."""

from __future__ import annotations

import pytest

from aiida_anial.active_learning.advice import advice, beyond_protocol
from aiida_anial.common.errors import SettingsError
from aiida_anial.protocols.protocol import campaign_inputs, merged, protocols


def nested(key, value):
    """Return the overrides that set one key."""
    for part in reversed(key.split('.')):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('sampling.dynamics.time_step_fs', 20.0),
        ('sampling.dynamics.time_step_fs', 1000.0),
        ('sampling.dynamics.friction_per_fs', 10.0),
        ('model.n_members', 1),
        ('model.n_members', 100_000),
        ('model.hidden_layers', [10**6]),
        ('model.descriptor.radial_cutoff_angstrom', 700.0),
        ('campaign.n_initial_cells', 10**9),
        ('campaign.n_trajectories', [10, 10**9]),
        ('campaign.max_iterations', 10**9),
        ('cells.density_g_per_cm3', [1800.0, 4050.0]),
        ('cells.families', [{'n_atoms': [10, 10**7]}]),
        ('schedules.pressure_gpa', [0.0, 1e5]),
        ('schedules.t_mod_k', [0.0, 1e6]),
        ('training.final.learning_rate', 5.0),
        ('label.qe.degauss_ry', 2.0),
        ('label.qe.conv_thr_ry', 10.0),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_its_key(key, value):
    with pytest.raises(SettingsError, match=rf'^{key.rsplit(".", 1)[0]}') as caught:
        campaign_inputs('laptop', nested(key, value))
    assert str(caught.value).count('\n') == 0


@pytest.mark.parametrize('ecutwfc', [1.0, 5000.0])
def test_cutoffs_that_cannot_be_meant(ecutwfc):
    cutoffs = {'label': {'qe': {'ecutwfc_ry': ecutwfc, 'ecutrho_ry': 4 * ecutwfc}}}
    with pytest.raises(SettingsError, match=r'^label\.qe\.ecutwfc_ry: '):
        campaign_inputs('laptop', cutoffs)


def test_one_member_is_enough_where_nothing_asks_for_its_opinion():
    one = {'model': {'n_members': 1}, 'sampling': {'dynamics': {'selection': 'random'}}}
    assert campaign_inputs('laptop', one).model.n_members == 1


@pytest.mark.parametrize('name', protocols())
def test_nothing_is_unusual_in_a_protocol(name):
    inputs = campaign_inputs(name)
    assert advice(inputs) == []
    assert beyond_protocol(inputs, inputs, name) == []


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('sampling.dynamics.time_step_fs', 5.0, ': 5 is unusual, where 0.2 to 3 are usual'),
        ('model.n_members', 2, ': 2 is unusual, where 4 to 32 are usual'),
        ('schedules.t_max_ps', 0.2, ': 0.2 is unusual, where 0.3 or more are usual'),
        ('schedules.t_start_k', [10.0, 20000.0], ': 10 to 20000 is unusual, where at most 10000 are usual'),
        ('label.qe.conv_thr_ry', 0.01, ': 0.01 is unusual, where at most 0.001 are usual'),
    ],
)
def test_an_unusual_value_is_named_with_the_usual_ones(key, value, expected):
    (line,) = advice(campaign_inputs('laptop', nested(key, value)))
    assert line.startswith(key + expected)


def test_settings_of_another_labeller_are_not_judged():
    overrides = merged(nested('label.qe.conv_thr_ry', 0.01), {'label': {'labeller': 'emt'}})
    assert advice(campaign_inputs('laptop', overrides)) == []


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('schedules.t_max_ps', 250.0, 'steps of dynamics: about 1'),
        ('campaign.n_initial_cells', 5000, 'labels: about '),
        ('training.final.max_steps', 1_000_000, 'steps of training: about '),
    ],
)
def test_what_takes_many_times_what_the_protocol_does_is_named(key, value, expected):
    laptop = campaign_inputs('laptop')
    (line,) = beyond_protocol(campaign_inputs('laptop', nested(key, value)), laptop, 'laptop')
    assert line.startswith(expected)
    assert line.endswith(' times as many as in the protocol laptop.')
