"""The order of the configurations."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.training.optimiser import batch_indices


def batches(n_configurations, size, n_steps, *, seed=1, attempt=0):
    return [
        batch_indices(n_configurations, size, seed=seed, attempt=attempt, step=step).tolist() for step in range(n_steps)
    ]


@pytest.mark.parametrize(('n_configurations', 'size'), [(12, 4), (13, 4), (7, 5)])
def test_every_configuration_comes_up_equally_often(n_configurations, size):
    sequence = np.concatenate(batches(n_configurations, size, n_configurations))
    assert len(sequence) == n_configurations * size
    assert (np.bincount(sequence) == size).all()
    assert sorted(sequence[:n_configurations]) == list(range(n_configurations))


def test_a_batch_is_never_larger_than_the_dataset():
    assert sorted(batches(3, 8, 1)[0]) == [0, 1, 2]


def test_batches_follow_from_seed_and_attempt():
    assert batches(20, 4, 9) == batches(20, 4, 9)
    assert batches(20, 4, 9) != batches(20, 4, 9, seed=2)
    assert batches(20, 4, 9) != batches(20, 4, 9, attempt=1)
    assert batches(20, 20, 1) != batches(20, 20, 2)[1:]
