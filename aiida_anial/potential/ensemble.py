"""Potentials of kind ``ani``: an ensemble of networks on one descriptor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.common.tensors import TensorFile
from aiida_anial.potential.potential import FILE_KIND, SCHEMA_VERSION
from aiida_anial.potential.settings import ModelSettings, PotentialSettings

__all__ = ('Ensemble',)

_UNITS = {'length': 'angstrom', 'energy': 'eV'}


@dataclass(frozen=True, eq=False)
class Ensemble:
    """M networks of one architecture on a shared descriptor.

    A member predicts the energy of a cell as the sum over its atoms; the ensemble predicts the mean of its members.

    :param model: the architecture.
    :param weights: for each layer ``[M, out, in]``, float32 or float64; the last layer gives eV.
    :param biases: for each layer ``[M, out]``.
    :param self_energy: energy added for every atom, eV.
    :raises AnialError: if a shape does not fit the architecture or a number is not finite.
    """

    SETTINGS: ClassVar[type[PotentialSettings]] = ModelSettings
    ENGINES: ClassVar[Mapping[str, str]] = {
        'numba': 'aiida_anial.potential.numba_engine:NumbaEngine',
        'torch': 'aiida_anial.potential.torch_engine:TorchEngine',
    }

    model: ModelSettings
    weights: tuple[NDArray[np.floating], ...]
    biases: tuple[NDArray[np.floating], ...]
    self_energy: float

    def __post_init__(self) -> None:
        sizes, n_members = self.model.layer_sizes, self.model.n_members
        if not len(self.weights) == len(self.biases) == len(sizes) - 1:
            raise AnialError(
                f'ensemble: {len(self.weights)} layers of weights and {len(self.biases)} of biases '
                f'where {len(sizes) - 1} are needed.'
            )
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            n_in, n_out = sizes[layer : layer + 2]
            _check(f'weights of layer {layer}', weight, (n_members, n_out, n_in))
            _check(f'biases of layer {layer}', bias, (n_members, n_out))
        if not math.isfinite(self.self_energy):
            raise AnialError('ensemble: the self energy is not finite.')

    @property
    def n_members(self) -> int:
        """The number of members M."""
        return self.model.n_members

    def member(self, index: int) -> Self:
        """Return the ensemble of member ``index`` alone.

        :raises AnialError: if there is no such member.
        """
        if not 0 <= index < self.n_members:
            raise AnialError(f'ensemble: there is no member {index} among {self.n_members}.')
        return type(self)(
            self.model.model_copy(update={'n_members': 1}),
            tuple(weight[index : index + 1] for weight in self.weights),
            tuple(bias[index : index + 1] for bias in self.biases),
            self.self_energy,
        )

    def to_file(self) -> TensorFile:
        """Return the content of the file of the ensemble."""
        metadata = {'model': self.model.to_dict(), 'self_energy_ev': self.self_energy, 'units': _UNITS}
        arrays = {f'weight_{layer}': weight for layer, weight in enumerate(self.weights)}
        arrays |= {f'bias_{layer}': bias for layer, bias in enumerate(self.biases)}
        return TensorFile(FILE_KIND, SCHEMA_VERSION, metadata, arrays)

    @classmethod
    def from_file(cls, content: TensorFile) -> Self:
        """Return the ensemble of which ``to_file`` gave ``content``."""
        metadata, arrays = content.metadata, content.arrays
        if metadata['units'] != _UNITS:
            raise AnialError(f'has units {metadata["units"]} where {_UNITS} are needed.')
        model = ModelSettings.parse(metadata['model'], where='model')
        layers = range(len(model.layer_sizes) - 1)
        weights = tuple(arrays[f'weight_{layer}'] for layer in layers)
        biases = tuple(arrays[f'bias_{layer}'] for layer in layers)
        return cls(model, weights, biases, float(metadata['self_energy_ev']))


def _check(name: str, array: NDArray[np.floating], shape: tuple[int, ...]) -> None:
    """Raise an error unless ``array`` has this shape, is float32 or float64, and is finite."""
    if array.shape != shape:
        raise AnialError(f'ensemble: the {name} have shape {array.shape} where {shape} is needed.')
    if array.dtype not in (np.float32, np.float64):
        raise AnialError(f'ensemble: the {name} are {array.dtype} where float32 or float64 is needed.')
    if not np.isfinite(array).all():
        raise AnialError(f'ensemble: a number among the {name} is not finite.')
