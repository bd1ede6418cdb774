"""Energies and their gradients by the descriptors, and how a loss on both changes with the weights.

Forth, x_0 = G, a_l = W_l x_l-1 + b_l, x_l = CELU(a_l), E = W_L x_L-1 + b_L. Back, with s_l = dx_l/da_l:
d_L-1 = W_L, h_l = d_l s_l, d_l-1 = h_l W_l and d_0 = dE/dG. A loss with the derivatives e by E and q by dE/dG
depends on the weights as e E + q . dE/dG does, whose second term is the change of E along G -> G + t q. So its
gradients come from carrying q forth, t_0 = q, p_l = W_l t_l-1, t_l = s_l p_l, and this back:

- y_L-1 = W_L e, z_l = s_l (y_l + p_l d_l [a_l < 0] / alpha), y_l-1 = W_l z_l;
- dL/dW_l = h_l t_l-1 + z_l x_l-1, dL/db_l = z_l.

Six matrix products a layer, all of them at the speed of the machine; automatic differentiation of the same takes half
as long again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aiida_anial.potential.networks import activations
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.parameters import split

__all__ = ('Propagation',)


class Propagation:
    """A pass of N atoms through the networks of M members, forth and back.

    :param parameters: ``[M, P]``.
    :param features: ``[N, F]`` descriptors.
    :param model: architecture.
    :ivar energies: ``[M, N]`` of the atoms, eV.
    :ivar gradients: ``[M, N, F]`` of the energies by the descriptors.
    """

    def __init__(self, parameters: Tensor, features: Tensor, model: ModelSettings) -> None:
        self._model = model
        self._weights, biases = split(parameters, model)
        self.energies, self._inputs, self._slopes = activations(self._weights, biases, features, model.celu_alpha)
        self._by_output: list[Tensor] = [self._weights[-1]]
        self._by_sum: list[Tensor] = []
        for weight, slope in zip(reversed(self._weights[:-1]), reversed(self._slopes), strict=True):
            self._by_sum.insert(0, self._by_output[0] * slope)
            self._by_output.insert(0, torch.bmm(self._by_sum[0], weight))
        self.gradients = self._by_output.pop(0)

    def add_loss_gradients(self, by_energies: Tensor, by_gradients: Tensor, out: Tensor) -> None:
        """Add the gradients of a loss by the parameters to ``out`` ``[M, P]``.

        :param by_energies: ``[M, N]`` derivatives of the loss by the energies.
        :param by_gradients: ``[M, N, F]`` derivatives of the loss by the gradients.
        """
        weights, biases = split(out, self._model)
        curvatures = []
        t = by_gradients
        for layer, (slope, h, d) in enumerate(zip(self._slopes, self._by_sum, self._by_output, strict=True)):
            weights[layer] += torch.bmm(h.transpose(1, 2), t)
            p = torch.bmm(t, self._weights[layer].transpose(1, 2))
            curvatures.append(p * d)
            t = p.mul_(slope)
        weights[-1] += torch.baddbmm(t.sum(1, keepdim=True), by_energies[:, None], self._inputs[-1])
        biases[-1] += by_energies.sum(1, keepdim=True)
        y = by_energies[:, :, None] * self._weights[-1]
        for layer in reversed(range(len(self._slopes))):
            # Zero where the activation, of the sign of its argument, is not negative.
            curved = torch.ops.aten.hardtanh_backward(curvatures[layer], self._inputs[layer + 1], -torch.inf, 0.0)
            z = y.add_(curved, alpha=1 / self._model.celu_alpha).mul_(self._slopes[layer])
            weights[layer] += torch.bmm(z.transpose(1, 2), self._inputs[layer])
            biases[layer] += z.sum(1)
            if layer:
                y = torch.bmm(z, self._weights[layer])
