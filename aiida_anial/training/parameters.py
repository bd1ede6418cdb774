"""The parameters of all members as one matrix ``[M, P]``, for the optimiser and the checkpoint."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

__all__ = ('draw_parameters', 'n_parameters', 'pack', 'split', 'to_ensemble')


def n_parameters(model: ModelSettings) -> int:
    """Return the number P of parameters of one member."""
    return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(model.layer_sizes))


def split(parameters: Tensor, model: ModelSettings) -> tuple[list[Tensor], list[Tensor]]:
    """Return views of the weights ``[M, out, in]`` and the biases ``[M, out]`` of each layer.

    :param parameters: ``[M, P]``, layer by layer, the weights of a layer before its biases.
    """
    shapes = list(pairwise(model.layer_sizes))
    sizes = [size for n_in, n_out in shapes for size in (n_in * n_out, n_out)]
    parts = torch.split(parameters, sizes, dim=1)
    weights = [part.view(-1, n_out, n_in) for part, (n_in, n_out) in zip(parts[::2], shapes, strict=True)]
    return weights, list(parts[1::2])


def pack(ensemble: Ensemble) -> NDArray[np.float64]:
    """Return the parameters ``[M, P]`` of ``ensemble``, the inverse of ``split``."""
    parts = []
    for weight, bias in zip(ensemble.weights, ensemble.biases, strict=True):
        parts += [weight.reshape(ensemble.n_members, -1), bias]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def to_ensemble(parameters: Tensor, model: ModelSettings, *, self_energy: float) -> Ensemble:
    """Return the ensemble with the given parameters ``[M, P]``.

    :param self_energy: energy added for every atom, eV.
    """
    weights, biases = split(parameters.detach().cpu(), model)
    return Ensemble(
        model=model,
        weights=tuple(weight.numpy().copy() for weight in weights),
        biases=tuple(bias.numpy().copy() for bias in biases),
        self_energy=self_energy,
    )


def draw_parameters(
    model: ModelSettings, *, seed: int, member: int, attempt: int, feature_norm: float
) -> NDArray[np.float64]:
    """Return random parameters ``[P]`` of one member.

    Weights are normally distributed, with mean zero and a variance that preserves the magnitude of the activations from
    layer to layer. The first layer is scaled by the norm of the descriptors, one number for all features, because
    scaling each feature would inflate those of tiny variance. Biases start at zero. Untrained members differ by 0.1 to
    0.2 eV/atom.

    :param seed: seed of the training; with ``member`` and ``attempt``, it determines every number.
    :param feature_norm: root mean square over atoms of the norm of their descriptors.
    :raises AnialError: if the norm is zero, because no atom has a neighbour.
    """
    if not feature_norm > 0:
        raise AnialError('training: no atom of the dataset has a neighbour inside the cutoff.')
    generator = np.random.default_rng(np.random.SeedSequence([seed, member, attempt]))
    layers = list(pairwise(model.layer_sizes))
    parts = []
    for index, (n_in, n_out) in enumerate(layers):
        if index == 0:
            scale = _FIRST_GAIN / feature_norm
        else:
            scale = (_LAST_GAIN if index == len(layers) - 1 else _HIDDEN_GAIN) / math.sqrt(n_in)
        parts += [generator.normal(0.0, scale, n_out * n_in), np.zeros(n_out)]
    return np.concatenate(parts)


# The first layer starts small: activations grow along the features that the labels determine, and the potential stays
# smooth along the others. (Untrained curvature would show in crystals, which random cells hardly determine.) Between
# hidden layers, CELU with alpha 0.1 halves the mean square like ReLU: He et al., arXiv:1502.01852.
_FIRST_GAIN = 0.3
_HIDDEN_GAIN = math.sqrt(2.0)
_LAST_GAIN = 0.5
