"""The order in which configurations are trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ('batch_indices',)

# Keeps the shuffles apart from the draws of initial parameters, whose second key is a member's index.
_STREAM = 2**31


def batch_indices(n_configurations: int, batch_size: int, *, seed: int, attempt: int, step: int) -> NDArray[np.int64]:
    """Return the configurations of the batch at ``step``, a function of the arguments alone.

    The batches cut an endless sequence of shuffles of all configurations into equal pieces, so every configuration
    comes up equally often. All members share the batches, so that each Jacobian is used for all of them at once; a
    configuration counts in the loss of those members only that train on it.

    :param n_configurations: C.
    :param batch_size: configurations in a batch; C if there are fewer.
    :param attempt: number of the round of the training.
    """
    size = min(batch_size, n_configurations)
    wanted = np.arange(step * size, (step + 1) * size)
    shuffles = {
        int(epoch): _shuffle(n_configurations, seed, attempt, int(epoch)) for epoch in {*(wanted // n_configurations)}
    }
    return np.array(
        [shuffles[position // n_configurations][position % n_configurations] for position in wanted.tolist()]
    )


def _shuffle(n_configurations: int, seed: int, attempt: int, epoch: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(np.random.SeedSequence([seed, _STREAM, attempt, epoch]))
    return generator.permutation(n_configurations)
