"""The networks of all members at once, on stacked weights.

Symbols: M members, N atoms, F features; layer l maps ``x`` to ``CELU(W x + b)``, the last one to ``W x + b``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ('atomic_energies', 'atomic_energies_and_gradients')


def atomic_energies(weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float) -> Tensor:
    """Return the energies ``[M, N]`` of the atoms by each member, in the unit of the last layer's weights.

    :param weights: for each layer ``[M, out, in]``.
    :param biases: for each layer ``[M, out]``.
    :param g: ``[N, F]`` descriptors.
    :param alpha: of the activation CELU (Barron, arXiv:1704.07483).
    """
    return _forward(weights, biases, g, alpha)[0]


def atomic_energies_and_gradients(
    weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Return the energies ``[M, N]`` of the atoms and their gradients ``[M, N, F]`` by the descriptors.

    The gradients are the chain rule written out, ((W_n . s_n) W_n-1 . s_n-1) ... W_0 with s the slopes of the
    activations, so that a loss on forces needs a single backward pass to reach the weights.

    :param weights: for each layer ``[M, out, in]``.
    :param biases: for each layer ``[M, out]``.
    :param g: ``[N, F]`` descriptors.
    :param alpha: of the activation CELU.
    """
    energies, slopes = _forward(weights, biases, g, alpha)
    gradients = weights[-1].expand(-1, g.shape[0], -1)
    for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
        gradients = torch.bmm(gradients * slope, weight)
    return energies, gradients


def _forward(
    weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float
) -> tuple[Tensor, list[Tensor]]:
    """Return the energies ``[M, N]`` and, for each hidden layer, the slopes of its activations ``[M, N, out]``."""
    slopes = []
    x = g.expand(weights[0].shape[0], -1, -1)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        a = torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))
        slope = a.clamp(max=0).mul_(1 / alpha).exp_()
        slopes.append(slope)
        # relu and not clamp(min=0): at a = 0 exactly (an atom without neighbours) clamp would count the slope twice.
        # Written out because the derivative of torch.celu is off by 7e-9 in float64.
        x = torch.add(torch.relu(a), slope, alpha=alpha).sub_(alpha)
    energies = torch.baddbmm(biases[-1][:, None], x, weights[-1].transpose(1, 2))
    return energies.squeeze(-1), slopes
