"""The networks of all members at once, with stacked weights.

Symbols: M members, N atoms, F features; layer l maps ``x`` to ``CELU(W x + b)``, the last one to ``W x + b``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ('activations', 'atomic_energies', 'atomic_energies_and_gradients')

# Exponents are clamped here, because denormal numbers slow down everything computed from them.
_MIN_EXPONENT = -60.0


def atomic_energies(weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float) -> Tensor:
    """Return the energies ``[M, N]`` of the atoms predicted by each member, in the unit of the last layer's weights.

    :param weights: for each layer ``[M, out, in]``.
    :param biases: for each layer ``[M, out]``.
    :param g: ``[N, F]`` descriptors.
    :param alpha: alpha of the CELU activation (Barron, arXiv:1704.07483).
    """
    return activations(weights, biases, g, alpha)[0]


def atomic_energies_and_gradients(
    weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Return the energies ``[M, N]`` of the atoms and their gradients ``[M, N, F]`` by the descriptors.

    The gradients are the chain rule written out, ((W_n . s_n) W_n-1 . s_n-1) ... W_0 with s the slopes of the
    activations, so that the gradient of a loss on forces needs a single backward pass.

    :param weights: for each layer ``[M, out, in]``.
    :param biases: for each layer ``[M, out]``.
    :param g: ``[N, F]`` descriptors.
    :param alpha: alpha of the CELU activation.
    """
    energies, _, slopes = activations(weights, biases, g, alpha)
    gradients = weights[-1].expand(-1, g.shape[0], -1)
    for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
        gradients = torch.bmm(gradients * slope, weight)
    return energies, gradients


def activations(
    weights: Sequence[Tensor], biases: Sequence[Tensor], g: Tensor, alpha: float
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the energies ``[M, N]``, the input ``[M, N, in]`` of each layer, and slopes ``[M, N, out]``.

    The slopes are the derivatives of the activations of the hidden layers.
    """
    slopes = []
    inputs = [g.expand(weights[0].shape[0], -1, -1)]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        a = torch.baddbmm(bias[:, None], inputs[-1], weight.transpose(1, 2))
        # torch's exp2 is three times faster than its exp.
        slope = a.clamp(min=_MIN_EXPONENT * alpha, max=0).mul_(1 / (alpha * math.log(2))).exp2_()
        slopes.append(slope)
        # CELU is written out because the derivative of torch.celu is off by 7e-9 in float64. It uses relu, because at
        # exactly a = 0 (an atom without neighbours) clamp(min=0) would count the slope twice.
        inputs.append(torch.add(torch.relu(a), slope, alpha=alpha).sub_(alpha))
    energies = torch.baddbmm(biases[-1][:, None], inputs[-1], weights[-1].transpose(1, 2))
    return energies.squeeze(-1), inputs, slopes
