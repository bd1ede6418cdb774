"""Learning rates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aiida_anial.training.settings import TrainingSettings

__all__ = ('learning_rates',)


def learning_rates(settings: TrainingSettings, step: int, halvings: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the learning rate of each member ``[M]`` for optimiser step ``step`` (from 0).

    :param halvings: ``[M]`` how often the rate of a member has been halved; used by ``plateau`` only.
    """
    high, low = settings.learning_rate, settings.final_learning_rate
    if settings.schedule == 'plateau':
        rates: NDArray[np.float64] = np.maximum(high * 0.5**halvings, low)
        return rates
    fraction = min(step / max(settings.max_steps - 1, 1), 1.0)
    return np.full(len(halvings), low + 0.5 * (high - low) * (1 + math.cos(math.pi * fraction)))
