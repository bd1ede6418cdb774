"""Read the content of a data node by name: its attributes, its arrays, and the bytes of its other files."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray
from safetensors.numpy import load

__all__ = ('Quantity', 'quantities')

# AiiDA stores the shape of every array as an attribute; the array itself is compared.
_SHAPES = 'array|'


@dataclass(frozen=True, eq=False)
class Quantity:
    """One named quantity of a node.

    :param layout: data type and shape of an array, or the place of each value in nested attributes.
    :param values: numbers as an array, a file as bytes, anything else as a tuple.
    """

    layout: tuple[str, ...]
    values: NDArray[Any] | tuple[Any, ...] | bytes


def quantities(node: orm.Data) -> dict[str, Quantity]:
    """Return the content of a node by name, without its identity, label and extras.

    Entries of a list form one quantity: ``trajectories.*.stop_time_ps`` contains that of all trajectories. The names of
    arrays in a safetensors file begin with the name of the file.
    """
    attributes = {key: value for key, value in node.base.attributes.all.items() if not key.startswith(_SHAPES)}
    found = dict(_of_attributes(attributes))
    for path in _files(node):
        content = node.base.repository.get_object_content(path, mode='rb')
        stem, _, extension = path.rpartition('.')
        if extension == 'npy':
            found[stem] = _of_array(np.load(io.BytesIO(content), allow_pickle=False))
        elif extension == 'safetensors':
            found.update({f'{stem}.{name}': _of_array(array) for name, array in load(content).items()})
            found[f'{stem}.metadata'] = Quantity((), content[8 : 8 + int.from_bytes(content[:8], 'little')])
        else:
            found[path] = Quantity((), content)
    return found or {'content': Quantity((), ())}


def _files(node: orm.Data) -> Iterator[str]:
    for root, _, names in node.base.repository.walk():
        for name in names:
            yield str(root / name)


def _of_array(array: NDArray[Any]) -> Quantity:
    return Quantity((str(array.dtype), *map(str, array.shape)), array)


def _of_attributes(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Quantity]]:
    """Yield nested attributes by name; if all values are numbers or missing, as an array with NaN for missing ones."""
    leaves: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, attribute in attributes.items():
        for name, place, value in _leaves(attribute, key, key):
            leaves[name][place] = value
    for name, values in leaves.items():
        if all(map(_is_number_or_missing, values.values())):
            numbers = np.array([math.nan if value is None else value for value in values.values()])
            yield name, Quantity(tuple(values), numbers)
        else:
            yield name, Quantity(tuple(values), tuple(values.values()))


def _is_number_or_missing(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _leaves(value: Any, name: str, place: str) -> Iterator[tuple[str, str, Any]]:
    """Yield each nested value with its place and its name, which is the same for all entries of a list."""
    if isinstance(value, Mapping) and value:
        for key, item in sorted(value.items()):
            yield from _leaves(item, f'{name}.{key}', f'{place}.{key}')
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f'{name}.*' if isinstance(item, Mapping) else name, f'{place}.{index}')
    else:
        yield name, place, value
