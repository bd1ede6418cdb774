"""Seeds of one cycle or training, derived from the campaign's."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

__all__ = ('derive_seeds',)

_PURPOSES = ('cells', 'schedules', 'sampling', 'training')


@calcfunction
def derive_seeds(seed: orm.Int, iteration: orm.Int, cycle: orm.Int) -> dict[str, orm.Int]:
    """Return independent seeds for the random cells, schedules, dynamics and training.

    :param seed: the seed of the campaign.
    :param iteration: active-learning iteration, 0 for the initial random dataset.
    :param cycle: cycle within the iteration.
    :return: ``cells``, ``schedules``, ``sampling``, ``training``.
    """
    sequence = np.random.SeedSequence([seed.value, iteration.value, cycle.value])
    state = sequence.generate_state(len(_PURPOSES), np.uint32)
    return {purpose: orm.Int(int(value)) for purpose, value in zip(_PURPOSES, state, strict=True)}
