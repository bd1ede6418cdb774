"""Adam on the stacked parameters of the members, each with its own learning rate and count of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

__all__ = ('Adam',)

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Adam:
    """The optimiser of Kingma and Ba, arXiv:1412.6980, Algorithm 1.

    :param first: ``[M, P]`` running mean of the gradients.
    :param second: ``[M, P]`` running mean of their squares.
    :param counts: ``[M]`` steps that each member has taken, int64.
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
        """Start again for the members with these indices."""
        self.first[members] = 0
        self.second[members] = 0
        self.counts[members] = 0

    def step(self, parameters: Tensor, gradients: Tensor, rates: Tensor) -> None:
        """Change ``parameters`` in place; members whose rate is 0 stay as they are.

        :param parameters: ``[M, P]``.
        :param gradients: ``[M, P]``, finite.
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
        # A size of zero makes the denominator infinite and the change zero.
        denominators = (self.second / corrections).sqrt_().add_(_EPSILON).div_(sizes)
        parameters.addcdiv_(self.first, denominators, value=-1)
