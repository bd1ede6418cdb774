"""When a training is evaluated."""

from __future__ import annotations

import pytest

from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainers import evaluation_steps


@pytest.mark.parametrize(
    ('interval', 'n_configurations', 'expected'),
    [
        (40, 10_000, [0, 40, 80, 100]),
        (None, 30, [0, 50, 100]),
        # Two epochs are 63 steps.
        (None, 500, [0, 63, 100]),
        (None, 10_000, [0, 100]),
    ],
)
def test_evaluations_are_in_proportion_unless_told_otherwise(interval, n_configurations, expected):
    settings = TrainingSettings(max_steps=100, batch_size=16, evaluation_interval=interval)
    assert evaluation_steps(settings, n_configurations).tolist() == expected
