"""Learning rates."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.training.optimiser import learning_rates
from aiida_anial.training.settings import TrainingSettings

ZERO = np.zeros(1, dtype=np.int64)


def test_cosine_goes_from_the_first_rate_to_the_last():
    settings = TrainingSettings(max_steps=101, learning_rate=1e-2, final_learning_rate=1e-4)
    rates = np.array([learning_rates(settings, step, ZERO)[0] for step in range(101)])
    assert rates[0] == pytest.approx(1e-2)
    assert rates[50] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[100] == pytest.approx(1e-4)
    assert (np.diff(rates) < 0).all()


def test_a_single_step_has_the_first_rate():
    assert learning_rates(TrainingSettings(max_steps=1), 0, ZERO)[0] == TrainingSettings().learning_rate


def test_plateau_halves_down_to_the_last_rate():
    settings = TrainingSettings(schedule='plateau', learning_rate=1e-3, final_learning_rate=1.5e-4)
    rates = learning_rates(settings, 10, np.array([0, 1, 2, 3]))
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 2.5e-4, 1.5e-4])
