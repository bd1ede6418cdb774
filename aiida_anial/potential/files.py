"""Ensembles in safetensors files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, parse_tensors, read_tensors, tensor_bytes, write_tensors
from aiida_anial.common.text import one_line
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

__all__ = ('SCHEMA_VERSION', 'ensemble_bytes', 'parse_ensemble', 'read_ensemble', 'write_ensemble')

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
