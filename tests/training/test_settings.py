"""Settings of a training."""

from __future__ import annotations

import pytest

from aiida_anial.common.errors import SettingsError
from aiida_anial.training.settings import TrainingSettings


def test_round_trip():
    settings = TrainingSettings(max_steps=7, schedule='plateau')
    assert TrainingSettings.parse(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'max_step': 3}, "training.max_step: unknown key 'max_step'; did you mean 'max_steps'"),
        ({'max_steps': 0}, 'training.max_steps: 0 is not allowed'),
        ({'force_weight': -1}, 'training.force_weight: -1 is not allowed'),
        ({'schedule': 'linear'}, 'training.schedule: '),
        ({'max_diverged_fraction': 1.5}, 'training.max_diverged_fraction: 1.5 is not allowed'),
        ({'learning_rate': 1e-5, 'final_learning_rate': 1e-4}, 'final_learning_rate 0.0001 is above learning_rate'),
    ],
)
def test_one_sentence_for_what_is_wrong(values, message):
    with pytest.raises(SettingsError) as caught:
        TrainingSettings.parse(values, where='training')
    assert message in str(caught.value)
