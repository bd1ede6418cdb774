"""The loss (Smith et al., Eq. 1) and its gradient, for all members at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aiida_anial.potential.networks import activations, atomic_energies_and_gradients
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.jacobians import adjoint_each, apply_each
from aiida_anial.training.parameters import split
from aiida_anial.training.targets import Batch

__all__ = ('Propagation', 'SquaredErrors', 'add_loss_gradients', 'squared_errors')


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


# How often a strain counts in the sum over the nine components of the virial.
_COUNTS = torch.tensor([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True)
class SquaredErrors:
    """Errors of M members on C configurations.

    :param energies: ``[M, C]`` squared error of the total energy, eV^2.
    :param forces: ``[M, C]`` squared errors of the force components, summed over the cell, eV^2/angstrom^2.
    :param virials: ``[M, C]`` squared errors of volume times stress, summed over nine components, eV^2.
    """

    energies: Tensor
    forces: Tensor
    virials: Tensor

    def loss(self, *, force_weight: float, stress_weight: float) -> Tensor:
        """Return Eq. 1 for each member and configuration, ``[M, C]`` in eV^2.

        :param force_weight: l0^2 in angstrom^2.
        :param stress_weight: weight of the virial.
        """
        loss = self.energies + force_weight * self.forces
        return loss + stress_weight * self.virials if stress_weight > 0 else loss


@dataclass(frozen=True)
class _Errors:
    """Predictions minus labels: total energies ``[M, C]``, dE/dr ``[M, N, 3]`` and dE/dstrain ``[M, C, 6]``."""

    energies: Tensor
    by_position: Tensor
    by_strain: Tensor

    @classmethod
    def of(cls, energies: Tensor, gradients: Tensor, batch: Batch) -> _Errors:
        """Return the errors of predictions.

        :param energies: ``[M, N]`` of the atoms.
        :param gradients: ``[M, N, F]`` by the descriptors.
        """
        sizes = list(batch.n_atoms)
        by_position, by_strain = apply_each(batch.jacobians, torch.split(gradients, sizes, dim=1))
        totals = [part.sum(dim=1) for part in torch.split(energies, sizes, dim=1)]
        return cls(
            torch.stack(totals, dim=1) - batch.energies,
            torch.cat(by_position, dim=1) - batch.by_position,
            torch.stack(by_strain, dim=1) - batch.by_strain,
        )


def squared_errors(parameters: Tensor, batch: Batch, model: ModelSettings) -> SquaredErrors:
    """Return the squared errors of all members on a batch.

    :param parameters: ``[M, P]``.
    """
    weights, biases = split(parameters, model)
    errors = _Errors.of(*atomic_energies_and_gradients(weights, biases, batch.features, model.celu_alpha), batch)
    by_atom = torch.split(errors.by_position.square().sum(dim=2), list(batch.n_atoms), dim=1)
    return SquaredErrors(
        energies=errors.energies.square(),
        forces=torch.stack([part.sum(dim=1) for part in by_atom], dim=1),
        virials=errors.by_strain.square() @ _COUNTS.to(errors.by_strain),
    )


def add_loss_gradients(
    parameters: Tensor,
    batch: Batch,
    model: ModelSettings,
    *,
    shares: Tensor,
    force_weight: float,
    stress_weight: float,
    out: Tensor,
) -> None:
    """Add the gradients by the parameters of a sum of losses to ``out`` ``[M, P]``.

    :param parameters: ``[M, P]``.
    :param shares: ``[M, C]`` how much the loss of each configuration counts in the sum of each member.
    :param force_weight: l0^2 in angstrom^2.
    :param stress_weight: weight of the virial.
    """
    propagation = Propagation(parameters, batch.features, model)
    errors = _Errors.of(propagation.energies, propagation.gradients, batch)
    by_strain = errors.by_strain * (2 * stress_weight * shares)[..., None] * _COUNTS.to(shares)
    by_position = errors.by_position * _of_atoms(2 * force_weight * shares, batch)[..., None]
    parts = torch.split(by_position, list(batch.n_atoms), dim=1)
    by_gradients = torch.cat(adjoint_each(batch.jacobians, parts, by_strain.unbind(1)), dim=1)
    propagation.add_loss_gradients(_of_atoms(2 * shares * errors.energies, batch), by_gradients, out)


def _of_atoms(values: Tensor, batch: Batch) -> Tensor:
    """Return what each atom's cell has, ``[M, N]`` from ``[M, C]``."""
    columns = zip(torch.split(values, 1, dim=1), batch.n_atoms, strict=True)
    # Several times as fast as torch.repeat_interleave.
    return torch.cat([column.expand(-1, n_atoms) for column, n_atoms in columns], dim=1)
