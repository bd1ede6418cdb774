"""Errors of all members on all configurations in the course of a training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.loss import squared_errors
from aiida_anial.training.splits import Role
from aiida_anial.training.targets import Targets

__all__ = ('MIN_VALIDATION', 'Evaluation', 'evaluate', 'selection_mask')

# The best state of a member with fewer validation configurations than this is chosen with its training data too.
MIN_VALIDATION = 8


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Squared errors of M members on C configurations, as ``loss.SquaredErrors`` has them, in float64.

    :param energies: ``[M, C]`` eV^2.
    :param forces: ``[M, C]`` eV^2/angstrom^2.
    :param loss: ``[M, C]`` Eq. 1 in eV^2.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    loss: NDArray[np.float64]

    def energy_rmse(self, mask: NDArray[np.bool_], n_atoms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return for each member the error of the energy in meV/atom on the configurations in ``mask`` ``[M, C]``."""
        rmse: NDArray[np.float64] = 1e3 * np.sqrt(mean_over(self.energies / n_atoms**2, mask))
        return rmse

    def force_rmse(self, mask: NDArray[np.bool_], n_atoms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return for each member the error of a force component in eV/angstrom on the configurations in ``mask``."""
        components = np.broadcast_to(3.0 * n_atoms, mask.shape)
        rmse: NDArray[np.float64] = np.sqrt(mean_over(self.forces, mask) / mean_over(components, mask))
        return rmse


def mean_over(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean of each row of ``values`` over the columns in ``mask``, NaN for a row without any."""
    counts = mask.sum(axis=1)
    sums = np.where(mask, values, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


def selection_mask(roles: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return the configurations ``[M, C]`` whose mean loss says which state of a member is its best.

    They are the validation configurations; for a member with fewer than eight of them, whose mean would be a matter of
    luck, the training configurations as well. Test configurations are never among them.
    """
    validation = roles == Role.VALIDATION
    few = validation.sum(axis=1) < MIN_VALIDATION
    mask: NDArray[np.bool_] = validation | (few[:, None] & (roles == Role.TRAIN))
    return mask


def evaluate(
    parameters: Tensor, targets: Targets, model: ModelSettings, *, force_weight: float, stress_weight: float
) -> Evaluation:
    """Return the errors of all members on all configurations.

    :param parameters: ``[M, P]``.
    :param targets: the C configurations.
    :param force_weight: l0^2 of Eq. 1 in angstrom^2.
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
    """Return ``[M, C]``, with NaN for every number that is not finite."""
    joined = torch.cat(parts, dim=1).to('cpu', torch.float64)
    return torch.where(torch.isfinite(joined), joined, torch.nan).numpy()
