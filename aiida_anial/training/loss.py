"""The loss of Smith et al., Nat. Commun. 12, 1257 (2021), Eq. 1, for all members at once.

For a configuration of n atoms and a member, with predictions marked by a prime:
(E' - E)^2 + l0^2 sum_j |f'_j - f_j|^2 + w V^2 sum_ab (sigma'_ab - sigma_ab)^2,
the last term being an addition to the paper's. Energies are total energies, so a larger cell weighs more, as in the
paper. Gradients are not clipped, for Adam divides each by its own size.

Forces and virial are linear in the gradients of the networks by the descriptors, which are written out in closed form:
one backward pass through the networks gives the gradients by the weights, and none goes through the descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aiida_anial.potential.networks import atomic_energies_and_gradients
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.parameters import split
from aiida_anial.training.targets import Batch

__all__ = ('SquaredErrors', 'squared_errors')


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


class _Contraction(torch.autograd.Function):
    """Gradients by the descriptors ``[M, N, F]`` to derivatives by positions and strain ``[M, R]``, cell by cell.

    Cells differ in size; a matrix product for each, written by hand, costs less than padding them or than as many
    steps of automatic differentiation.
    """

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, batch: Batch) -> Tensor:
        ctx.batch = batch
        n_members = gradients.shape[0]
        parts = torch.split(gradients, list(batch.n_atoms), dim=1)
        products = [part.reshape(n_members, -1) @ matrix for part, matrix in zip(parts, batch.matrices, strict=True)]
        return torch.cat(products, dim=1)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        batch: Batch = ctx.batch
        (grad,) = outputs
        parts = torch.split(grad, [matrix.shape[1] for matrix in batch.matrices], dim=1)
        products = [
            (part @ matrix.T).view(grad.shape[0], n, -1)
            for part, matrix, n in zip(parts, batch.matrices, batch.n_atoms, strict=True)
        ]
        return torch.cat(products, dim=1), None


def squared_errors(parameters: Tensor, batch: Batch, model: ModelSettings) -> SquaredErrors:
    """Return the squared errors of all members on a batch, differentiable by the parameters.

    :param parameters: ``[M, P]``.
    """
    weights, biases = split(parameters, model)
    energies, gradients = atomic_energies_and_gradients(weights, biases, batch.features, model.celu_alpha)
    derivatives: Tensor = _Contraction.apply(gradients, batch)  # type: ignore[no-untyped-call]
    squares = (derivatives - batch.derivatives).square()
    return SquaredErrors(
        energies=(energies @ batch.atoms_to_cells - batch.energies).square(),
        forces=squares @ batch.forces_to_cells,
        virials=squares @ batch.virials_to_cells,
    )
