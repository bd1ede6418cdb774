"""Datasets from HDF5 in the layout of the ANI datasets: those of this package, of torchani and of pyanitools."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.hdf5_writer import HEADER_PARTS
from aiida_anial.formats.importing import Record

__all__ = ('read_hdf5',)

# Names in the file, the exact columns of this package first.
_NAMES = {
    'species': ('species', 'numbers', 'atomic_numbers'),
    'coordinates': ('coordinates', 'coord'),
    'cell': ('cell', 'cells'),
    'pbc': ('pbc',),
    'energy': ('energies_ev', 'energies', 'energy'),
    'forces': ('forces_ev_per_angstrom', 'forces', 'force'),
    'stress': ('stresses_ev_per_angstrom3', 'stresses', 'stress'),
}
_NEEDED = ('species', 'coordinates', 'cell', 'energy', 'forces', 'stress')
_IN_EV = {aliases[0] for name, aliases in _NAMES.items() if name in ('energy', 'forces', 'stress')}
_COLUMNS = ('_id', 'lot', 'iteration', 'origin', 'content_hash', 'index')

# Numbers with all their digits hardly compress; what is far larger in memory than in the file is a trap.
_MAX_EXPANSION = 64
_ALLOWANCE_BYTES = 2**24

# Datasets of others nest by formula and name, no deeper.
_MAX_DEPTH = 8


def read_hdf5(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the configurations of an HDF5 file and its header.

    They come in the order of the column ``index``, or else in that of the groups.

    :param energy: the unit of energy of the columns that are not in eV by their name, in eV; lengths are in angstrom.
    :raises AnialError: if an array is missing, of the wrong shape, elsewhere, or larger than the file can hold; h5py
        raises others.
    """
    with h5py.File(path, 'r') as file:
        header = _header(file)
        groups = [_arrays(group) for group in _groups(file)]
        declared = sum(_bytes(array) for arrays in groups for array in arrays.values())
        size = path.stat().st_size
        if declared > _MAX_EXPANSION * size + _ALLOWANCE_BYTES:
            raise AnialError(f'declares arrays of {declared:.3g} bytes in a file of {size:.3g}, which cannot be.')
        records = [record for arrays in groups for record in _records(arrays, energy)]
    if all('index' in record.columns for record in records):
        records.sort(key=lambda record: int(record.columns['index']))
    return records, header


def _header(file: h5py.File) -> Any:
    """Return the header of a file of this package, or None."""
    parts = itertools.takewhile(lambda name: name in file.attrs, HEADER_PARTS)
    # Text of variable length is not ours, and its heap may be damaged in a way that HDF5 never returns from.
    text = b''.join(file.attrs[name] for name in parts if file.attrs.get_id(name).dtype.kind == 'S')
    return json.loads(text) if text else None


def _is_here(group: h5py.Group, name: str) -> bool:
    """Whether ``name`` is in this very file: links to other places are not followed."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _bytes(array: h5py.Dataset) -> int:
    """Return the memory that an array takes, as numbers of eight bytes, or a chunk of it where that is larger."""
    n_values: int = max(math.prod(array.shape), math.prod(array.chunks or ()))
    return n_values * max(8, int(array.dtype.itemsize))


def _groups(file: h5py.File) -> list[h5py.Group]:
    """Return the groups that hold configurations, each once, those of a group in the order of their names.

    :raises AnialError: if groups are nested deeper than a dataset is.
    """
    found: list[h5py.Group] = []
    seen: set[int] = set()
    left: list[tuple[h5py.Group, int]] = [(file['/'], 0)]
    while left:
        group, depth = left.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        if depth > _MAX_DEPTH:
            raise AnialError(f'groups are nested deeper than {_MAX_DEPTH}, which no dataset is.')
        if any(_is_here(group, name) for name in _NAMES['coordinates']):
            found.append(group)
        inner = [name for name in group if _is_here(group, name) and group.get(name, getclass=True) is h5py.Group]
        left.extend((group[name], depth + 1) for name in reversed(inner))
    return found


def _arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Return the arrays of a group that are of use, unread, by their names in ``_NAMES`` and ``_COLUMNS``."""
    found: dict[str, h5py.Dataset] = {}
    for name, aliases in _NAMES.items():
        alias = next((alias for alias in aliases if _is_here(group, alias)), None)
        if alias is not None:
            found[name] = group[alias]
        elif name in _NEEDED:
            raise AnialError(f'group {group.name}: has no {name}; a label needs energy, forces and stress.')
    # Columns of these names are ours only together with the hash that proves it.
    if _is_here(group, 'content_hash'):
        found |= {name: group[name] for name in _COLUMNS if _is_here(group, name)}
    for name, array in found.items():
        if not isinstance(array, h5py.Dataset) or array.shape is None or array.is_virtual or array.external:
            raise AnialError(f'group {group.name}: {name}: is not an array within this file.')
        # Never objects: a thousand of them can share one long text, references lead anywhere, and HDF5 reads what
        # they stand for before it can be looked at.
        if array.dtype.kind not in {'species': 'iufbS', '_id': 'S', 'lot': 'S'}.get(name, 'iufb'):
            needed = 'text of fixed length is' if name in ('_id', 'lot') else 'numbers are'
            raise AnialError(f'group {group.name}: {name}: holds {array.dtype} where {needed} needed.')
    _check_shapes(group, found)
    return found


def _check_shapes(group: h5py.Group, arrays: dict[str, h5py.Dataset]) -> None:
    """Raise unless the arrays are as long as there are configurations and atoms."""
    shape = arrays['coordinates'].shape
    if len(shape) != 3 or shape[2] != 3:
        raise AnialError(f'group {group.name}: coordinates: has shape {shape} where [C, n, 3] is needed.')
    n_cells, n_atoms, _ = shape
    expected = {
        'species': ((n_cells, n_atoms), (n_atoms,)),
        'cell': ((n_cells, 3, 3), (3, 3)),
        'pbc': ((n_cells, 3), (3,)),
        'energy': ((n_cells,), (n_cells, 1)),
        'forces': (shape,),
        'stress': ((n_cells, 3, 3),),
        'content_hash': ((n_cells, 32),),
    }
    for name, array in arrays.items():
        allowed = expected.get(name, ((n_cells,),))
        if name != 'coordinates' and array.shape not in allowed:
            raise AnialError(f'group {group.name}: {name}: has shape {array.shape} where {allowed[0]} is needed.')


def _records(arrays: dict[str, h5py.Dataset], energy: float) -> list[Record]:
    """Return the configurations of one group."""
    group = arrays['coordinates'].parent.name
    n_cells, n_atoms, _ = arrays['coordinates'].shape
    numbers = np.broadcast_to(_numbers(arrays['species']), (n_cells, n_atoms))
    lattices = np.broadcast_to(_floats(arrays['cell']), (n_cells, 3, 3))
    flags = np.asarray(arrays['pbc'][()] if 'pbc' in arrays else True)
    periodic: NDArray[np.bool_] = np.asarray(np.broadcast_to(flags, (n_cells, 3)).all(axis=1))
    scales = {name: 1.0 if arrays[name].name.rpartition('/')[2] in _IN_EV else energy for name in _NEEDED[3:]}
    labels = {name: _floats(arrays[name]) * scale for name, scale in scales.items()}
    positions = _floats(arrays['coordinates'])
    columns = _columns(arrays, n_cells)
    return [
        Record(
            where=f'group {group}, row {row}',
            numbers=numbers[row],
            positions=positions[row],
            lattice=lattices[row],
            is_periodic=bool(periodic[row]),
            energy=float(labels['energy'][row].item()),
            forces=labels['forces'][row],
            stress=labels['stress'][row],
            columns=columns[row],
        )
        for row in range(n_cells)
    ]


def _floats(array: h5py.Dataset) -> NDArray[np.float64]:
    return np.asarray(array[()], dtype=np.float64)


def _numbers(array: h5py.Dataset) -> NDArray[np.int64]:
    """Return atomic numbers, which older files have as symbols."""
    values = array[()]
    if values.dtype.kind == 'S':
        symbols = [_text(symbol) for symbol in values.ravel()]
        values = np.array([atomic_numbers.get(symbol, 0) for symbol in symbols]).reshape(values.shape)
    return np.asarray(values, dtype=np.int64)


def _columns(arrays: dict[str, h5py.Dataset], n_cells: int) -> list[dict[str, Any]]:
    """Return what the columns of this package say about each configuration."""
    codes = h5py.check_enum_dtype(arrays['origin'].dtype) if 'origin' in arrays else None
    origins = {code: name for name, code in (codes or {}).items()}
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        '_id': ('calculation', _text),
        'lot': ('level_of_theory', _text),
        'iteration': ('iteration', int),
        'origin': ('origin', lambda code: origins[int(code)]),
        'content_hash': ('content_hash', lambda row: row.tobytes().hex()),
        'index': ('index', int),
    }
    columns: list[dict[str, Any]] = [{} for _ in range(n_cells)]
    for name, (key, read) in readers.items():
        values = arrays[name][()] if name in arrays else ()
        for column, value in zip(columns, values, strict=False):
            column[key] = read(value)
    return columns


def _text(value: Any) -> str:
    return value.decode('ascii') if isinstance(value, bytes) else str(value)
