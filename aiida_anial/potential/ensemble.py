"""An ensemble of networks on one descriptor, and its safetensors file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.common.tensors import TensorFile, parse_tensors, read_tensors, tensor_bytes, write_tensors
from aiida_anial.potential.settings import ModelSettings

__all__ = ('SCHEMA_VERSION', 'Ensemble', 'ensemble_bytes', 'parse_ensemble', 'read_ensemble', 'write_ensemble')


@dataclass(frozen=True, eq=False)
class Ensemble:
    """M networks of one architecture; a member's energy of a cell is the sum over its atoms, the ensemble's their mean.

    :param model: the architecture.
    :param weights: for each layer ``[M, out, in]``, float32 or float64; energies come out in eV.
    :param biases: for each layer ``[M, out]``.
    :param self_energy: eV added to the energy of every atom.
    :raises AnialError: if a shape does not fit the architecture or a number is not finite.
    """

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


def _check(name: str, array: NDArray[np.floating], shape: tuple[int, ...]) -> None:
    """Raise an error unless ``array`` holds finite numbers in this shape."""
    if array.shape != shape:
        raise AnialError(f'ensemble: the {name} have shape {array.shape} where {shape} is needed.')
    if array.dtype not in (np.float32, np.float64):
        raise AnialError(f'ensemble: the {name} are {array.dtype} where float32 or float64 is needed.')
    if not np.isfinite(array).all():
        raise AnialError(f'ensemble: a number among the {name} is not finite.')


_KIND = 'ensemble'
SCHEMA_VERSION = 1
_UNITS = {'length': 'angstrom', 'energy': 'eV'}


def write_ensemble(path: Path, ensemble: Ensemble) -> None:
    """Write ``ensemble`` to the file ``path``."""
    write_tensors(path, _file(ensemble))


def ensemble_bytes(ensemble: Ensemble) -> bytes:
    """Return the bytes that ``write_ensemble`` would write, the same for equal ensembles."""
    return tensor_bytes(_file(ensemble))


def read_ensemble(path: Path) -> Ensemble:
    """Return the ensemble in the file ``path``.

    :raises FileFormatError: if the file is missing, damaged, of another kind, or its numbers do not fit together.
    """
    return _ensemble(read_tensors(path, kind=_KIND, schema_version=SCHEMA_VERSION), str(path))


def parse_ensemble(data: bytes, *, source: str) -> Ensemble:
    """Return the ensemble in a file whose bytes are ``data``.

    :param source: what to call the file in messages.
    :raises FileFormatError: as ``read_ensemble``.
    """
    return _ensemble(parse_tensors(data, source=source, kind=_KIND, schema_version=SCHEMA_VERSION), source)


def _ensemble(content: TensorFile, source: str) -> Ensemble:
    """Return the ensemble that the tensors make."""
    arrays = content.arrays
    try:
        units = content.metadata['units']
        if units != _UNITS:
            raise AnialError(f'has units {units} where {_UNITS} are needed.')
        model = ModelSettings.parse(content.metadata['model'], where='model')
        layers = range(len(model.layer_sizes) - 1)
        weights = tuple(arrays[f'weight_{layer}'] for layer in layers)
        biases = tuple(arrays[f'bias_{layer}'] for layer in layers)
        return Ensemble(model, weights, biases, float(content.metadata['self_energy_ev']))
    except AnialError as exception:
        raise FileFormatError(one_line(f'{source}: {exception}')) from exception
    except KeyError as exception:
        raise FileFormatError(one_line(f'{source}: not a whole ensemble, {exception} is missing.')) from exception
    except (ArithmeticError, TypeError, ValueError) as exception:
        raise FileFormatError(one_line(f'{source}: not an ensemble ({exception}).')) from exception


def _file(ensemble: Ensemble) -> TensorFile:
    metadata: dict[str, Any] = {
        'model': ensemble.model.to_dict(),
        'self_energy_ev': ensemble.self_energy,
        'units': _UNITS,
    }
    arrays = {f'weight_{layer}': weight for layer, weight in enumerate(ensemble.weights)}
    arrays |= {f'bias_{layer}': bias for layer, bias in enumerate(ensemble.biases)}
    return TensorFile(_KIND, SCHEMA_VERSION, metadata, arrays)
