"""Adam for all members at once, learning-rate schedules, and the order of the batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.training.settings import TrainingSettings

__all__ = ('Adam', 'batch_indices', 'learning_rates')

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Adam:
    """The optimiser of Kingma and Ba, arXiv:1412.6980, Algorithm 1.

    :param first: ``[M, P]`` running mean of the gradients.
    :param second: ``[M, P]`` running mean of the squared gradients.
    :param counts: ``[M]`` number of steps that each member has taken, int64.
    """

    first: Tensor
    second: Tensor
    counts: Tensor

    @classmethod
    def zeros_like(cls, parameters: Tensor) -> Self:
        """Return the optimiser before its first step on ``parameters`` ``[M, P]``."""
        counts = torch.zeros(len(parameters), dtype=torch.int64, device=parameters.device)
        return cls(torch.zeros_like(parameters), torch.zeros_like(parameters), counts)

    def forget(self, members: Tensor) -> None:
        """Reset the state of the members with these indices."""
        self.first[members] = 0
        self.second[members] = 0
        self.counts[members] = 0

    def step(self, parameters: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """Update ``parameters`` in place; members whose rate is 0 do not change.

        :param parameters: ``[M, P]`` parameters of all members.
        :param gradients: ``[M, P]`` gradients of the loss, finite.
        :param rates: ``[M]`` learning rates, float64.
        """
        moving = rates > 0
        self.counts += moving
        share = moving.to(gradients.dtype)[:, None]
        self.first.lerp_(gradients, share * (1 - _BETA1))
        self.second.lerp_(gradients.square(), share * (1 - _BETA2))
        counts = self.counts.clamp(min=1).to(torch.float64)
        sizes = (rates / (1 - _BETA1**counts)).to(parameters.dtype)[:, None]
        corrections = (1 - _BETA2**counts).to(parameters.dtype)[:, None]
        # A rate of zero makes the denominator infinite and the update zero.
        denominators = (self.second / corrections).sqrt_().add_(_EPSILON).div_(sizes)
        parameters.addcdiv_(self.first, denominators, value=-1)


def learning_rates(settings: TrainingSettings, step: int, halvings: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the learning rate ``[M]`` of each member for optimiser step ``step``, counted from 0.

    :param halvings: ``[M]`` number of times that the rate of a member has been halved; used by ``plateau`` only.
    """
    high, low = settings.learning_rate, settings.final_learning_rate
    if settings.schedule == 'plateau':
        rates: NDArray[np.float64] = np.maximum(high * 0.5**halvings, low)
        return rates
    fraction = min(step / max(settings.max_steps - 1, 1), 1.0)
    return np.full(len(halvings), low + 0.5 * (high - low) * (1 + math.cos(math.pi * fraction)))


# Separates the random streams of shuffles from those of initial parameters, whose second key is the index of a member.
_STREAM = 2**31


def batch_indices(n_configurations: int, batch_size: int, *, seed: int, attempt: int, step: int) -> NDArray[np.int64]:
    """Return the configurations of the batch at ``step``, a function of the arguments only.

    Batches are consecutive pieces of an endless sequence of shuffles of all configurations, so every configuration
    comes equally often. All members share the batches, so that each Jacobian serves all of them at once; a
    configuration counts only in the loss of the members that train on it.

    :param n_configurations: number of configurations C.
    :param batch_size: configurations in a batch, C at most.
    :param seed: seed of the training.
    :param attempt: number of the round of the training.
    :param step: optimiser step in this round.
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
