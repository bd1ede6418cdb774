"""The loss (Smith et al., Eq. 1), its gradient, and errors in the course of a training, for all members at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.potential.networks import activations, atomic_energies_and_gradients
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.jacobians import adjoint_each, apply_each
from aiida_anial.training.parameters import split
from aiida_anial.training.splits import Role
from aiida_anial.training.targets import Batch, Targets

__all__ = (
    'Evaluation',
    'Propagation',
    'SquaredErrors',
    'add_loss_gradients',
    'evaluate',
    'mean_over',
    'selection_mask',
    'squared_errors',
)

# With fewer validation configurations than this, the training data take part in choosing the best state of a member.
_MIN_VALIDATION = 8


class Propagation:
    """A forward pass of N atoms through the networks of M members, and the backward pass of a loss.

    :param parameters: ``[M, P]`` parameters of all members.
    :param features: ``[N, F]`` descriptors.
    :param model: architecture.
    :ivar energies: ``[M, N]`` energies of the atoms, eV.
    :ivar gradients: ``[M, N, F]`` derivatives of these energies by the descriptors, eV.
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
        """Add the gradient of a loss by the parameters to ``out`` ``[M, P]``.

        :param by_energies: ``[M, N]`` derivatives of the loss by ``energies``.
        :param by_gradients: ``[M, N, F]`` derivatives of the loss by ``gradients``.
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
            # The second derivative of CELU is zero where its argument, and so the activation, is not negative.
            curved = torch.ops.aten.hardtanh_backward(curvatures[layer], self._inputs[layer + 1], -torch.inf, 0.0)
            z = y.add_(curved, alpha=1 / self._model.celu_alpha).mul_(self._slopes[layer])
            weights[layer] += torch.bmm(z.transpose(1, 2), self._inputs[layer])
            biases[layer] += z.sum(1)
            if layer:
                y = torch.bmm(z, self._weights[layer])


# How often each strain in Voigt order counts in a sum over the nine components of the virial.
_COUNTS = torch.tensor([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True)
class SquaredErrors:
    """Squared errors of M members on C configurations.

    :param energies: ``[M, C]`` squared error of the total energy, eV^2.
    :param forces: ``[M, C]`` sum over the cell of the squared errors of the force components, eV^2/angstrom^2.
    :param virials: ``[M, C]`` sum over nine components of the squared errors of volume times stress, eV^2.
    """

    energies: Tensor
    forces: Tensor
    virials: Tensor

    def loss(self, *, force_weight: float, stress_weight: float) -> Tensor:
        """Return Eq. 1 for each member and configuration, ``[M, C]`` in eV^2.

        :param force_weight: l0^2, angstrom^2.
        :param stress_weight: weight of the virial.
        """
        loss = self.energies + force_weight * self.forces
        return loss + stress_weight * self.virials if stress_weight > 0 else loss


@dataclass(frozen=True)
class _Errors:
    """Predictions minus labels in eV and angstrom.

    :param energies: ``[M, C]`` total energies.
    :param by_position: ``[M, N, 3]`` dE/dr.
    :param by_strain: ``[M, C, 6]`` dE/dstrain, Voigt order.
    """

    energies: Tensor
    by_position: Tensor
    by_strain: Tensor

    @classmethod
    def of(cls, energies: Tensor, gradients: Tensor, batch: Batch) -> _Errors:
        """Return the errors of predictions.

        :param energies: ``[M, N]`` energies of the atoms, eV.
        :param gradients: ``[M, N, F]`` derivatives of these energies by the descriptors, eV.
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

    :param parameters: ``[M, P]`` parameters of all members.
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
    """Add the gradient by the parameters of a weighted sum of losses to ``out`` ``[M, P]``.

    :param parameters: ``[M, P]`` parameters of all members.
    :param shares: ``[M, C]`` weight of the loss of each configuration in the sum of each member.
    :param force_weight: l0^2, angstrom^2.
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
    """Return, for each atom, the value of its cell: ``[M, N]`` from ``[M, C]``."""
    columns = zip(torch.split(values, 1, dim=1), batch.n_atoms, strict=True)
    # Several times faster than torch.repeat_interleave.
    return torch.cat([column.expand(-1, n_atoms) for column, n_atoms in columns], dim=1)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Squared errors of M members on all C configurations, float64; see ``SquaredErrors``.

    :param energies: ``[M, C]`` squared error of the total energy, eV^2.
    :param forces: ``[M, C]`` sum of the squared errors of the force components, eV^2/angstrom^2.
    :param loss: ``[M, C]`` Eq. 1, eV^2.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    loss: NDArray[np.float64]

    def energy_rmse(self, mask: NDArray[np.bool_], n_atoms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the energy RMSE ``[M]`` of each member in meV/atom on the configurations in ``mask`` ``[M, C]``."""
        rmse: NDArray[np.float64] = 1e3 * np.sqrt(mean_over(self.energies / n_atoms**2, mask))
        return rmse

    def force_rmse(self, mask: NDArray[np.bool_], n_atoms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the force RMSE ``[M]`` of each member in eV/angstrom on the configurations in ``mask`` ``[M, C]``."""
        components = np.broadcast_to(3.0 * n_atoms, mask.shape)
        rmse: NDArray[np.float64] = np.sqrt(mean_over(self.forces, mask) / mean_over(components, mask))
        return rmse


def mean_over(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean of each row of ``values`` over the columns in ``mask``, NaN where there are none."""
    counts = mask.sum(axis=1)
    sums = np.where(mask, values, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


def selection_mask(roles: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return the configurations ``[M, C]`` whose mean loss decides which state of a member is its best.

    They are the validation configurations. For a member with fewer than eight, whose mean would be a matter of chance,
    they include the training configurations. Test configurations are never among them.
    """
    validation = roles == Role.VALIDATION
    few = validation.sum(axis=1) < _MIN_VALIDATION
    mask: NDArray[np.bool_] = validation | (few[:, None] & (roles == Role.TRAIN))
    return mask


def evaluate(
    parameters: Tensor, targets: Targets, model: ModelSettings, *, force_weight: float, stress_weight: float
) -> Evaluation:
    """Return the errors of all members on all configurations.

    :param parameters: ``[M, P]`` parameters of all members.
    :param targets: the C configurations.
    :param force_weight: l0^2 of Eq. 1, angstrom^2.
    :param stress_weight: weight of the virial.
    """
    energies, forces, losses = [], [], []
    for _, batch in targets.batches(range(len(targets))):
        errors = squared_errors(parameters, batch, model)
        energies.append(errors.energies)
        forces.append(errors.forces)
        losses.append(errors.loss(force_weight=force_weight, stress_weight=stress_weight))
    return Evaluation(_join(energies), _join(forces), _join(losses))


def _join(parts: list[Tensor]) -> NDArray[np.float64]:
    """Return the parts as one array ``[M, C]``, with NaN for every number that is not finite."""
    joined = torch.cat(parts, dim=1).to('cpu', torch.float64)
    return torch.where(torch.isfinite(joined), joined, torch.nan).numpy()
