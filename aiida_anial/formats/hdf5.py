"""Datasets as HDF5 in the layout of the ANI datasets: written, and read from this package, torchani and pyanitools.

The files that this package writes open as they are with ``torchani.datasets.ANIDataset``. One group for each number of
atoms, such as ``055``, holds the configurations of that size. The columns of torchani are in its units, hartree and
angstrom. Columns of this package repeat them in eV, so that reading them gives exactly the same numbers.
"""

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
from ase.units import Hartree
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.exported import ExportedDataset, header_text
from aiida_anial.formats.importing import Record
from aiida_anial.training.splits import block_of

__all__ = ('read_hdf5', 'write_hdf5')

# An attribute of fixed length holds 64 kB, and one of variable length makes HDF5 hang if the file is damaged. A long
# header is therefore divided into several attributes.
_HEADER_PARTS = ('header', *(f'header_{part}' for part in range(1, 1000)))
_PART = 32000

_UNITS = {
    'cell': 'angstrom',
    'coordinates': 'angstrom',
    'energies': 'hartree',
    'energies_ev': 'eV',
    'forces': 'hartree/angstrom',
    'forces_ev_per_angstrom': 'eV/angstrom',
    'stresses': 'hartree/angstrom^3',
    'stresses_ev_per_angstrom3': 'eV/angstrom^3',
}


def write_hdf5(path: Path, dataset: ExportedDataset) -> None:
    """Write the file, without timestamps, so that the same dataset gives the same bytes."""
    n_atoms = dataset.labelled.cells.n_atoms
    origins = {origin: code for code, origin in enumerate(sorted(set(dataset.labelled.origins)))}
    with h5py.File(path, 'w', track_order=False) as file:
        file.attrs['grouping'] = 'by_num_atoms'
        text = header_text(dataset.file_header).encode('ascii')
        for part, start in zip(_HEADER_PARTS, range(0, len(text), _PART), strict=False):
            file.attrs[part] = np.bytes_(text[start : start + _PART])
        for size in np.unique(n_atoms):
            group = file.create_group(f'{size:03d}')
            for name, values in _group_columns(dataset, np.flatnonzero(n_atoms == size), origins).items():
                created = group.create_dataset(name, data=values, track_times=False)
                if name in _UNITS:
                    created.attrs['units'] = _UNITS[name]


def _group_columns(
    dataset: ExportedDataset, chosen: NDArray[np.int64], origins: dict[str, int]
) -> dict[str, NDArray[Any]]:
    """Return the columns of one group: the configurations ``chosen``, which have the same number of atoms."""
    labelled = dataset.labelled
    cells = labelled.cells
    atoms = cells.offsets[chosen, None] + np.arange(cells.n_atoms[chosen[0]])
    energies, forces, stresses = labelled.energies[chosen], labelled.forces[atoms], labelled.stresses[chosen]
    hashes = [dataset.hashes[index] for index in chosen]
    codes = [origins[labelled.origins[index]] for index in chosen]
    return {
        'species': cells.species[atoms].astype(np.int64),
        'coordinates': cells.positions[atoms],
        'cell': cells.lattices[chosen],
        'pbc': np.ones((len(chosen), 3), dtype=bool),
        'energies': energies / Hartree,
        'forces': forces / Hartree,
        'stresses': stresses / Hartree,
        'energies_ev': energies,
        'forces_ev_per_angstrom': forces,
        'stresses_ev_per_angstrom3': stresses,
        # torchani reads all columns except these two as numbers.
        '_id': np.array([labelled.uuids[index] for index in chosen], dtype='S36'),
        'lot': np.array([dataset.levels[index] for index in chosen], dtype='S64'),
        'index': chosen,
        'iteration': labelled.iterations[chosen],
        'origin': np.array(codes, dtype=h5py.enum_dtype(origins, basetype='i1')),
        'split_block': np.array([block_of(content_hash) for content_hash in hashes], dtype=np.int64),
        'content_hash': np.frombuffer(bytes.fromhex(''.join(hashes)), dtype=np.uint8).reshape(-1, 32),
    }


# Names in the file; the exact columns of this package come first.
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

# Numbers with all their digits hardly compress, so arrays far larger than the file must be malicious.
_MAX_EXPANSION = 64
_ALLOWANCE_BYTES = 2**24

# Foreign datasets have groups by formula and name, no deeper ones.
_MAX_DEPTH = 8


def read_hdf5(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the configurations of an HDF5 file and its header.

    They are in the order of the column ``index``, or else in that of the groups.

    :param energy: the unit of energy, in eV, of columns whose names do not say eV; lengths are in angstrom.
    :raises AnialError: if an array is missing, has the wrong shape, lies in another file, or is too large for the file.
        h5py raises other exceptions.
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
    parts = itertools.takewhile(lambda name: name in file.attrs, _HEADER_PARTS)
    # Text of variable length is foreign, and HDF5 may hang on it in a damaged file.
    text = b''.join(file.attrs[name] for name in parts if file.attrs.get_id(name).dtype.kind == 'S')
    return json.loads(text) if text else None


def _is_here(group: h5py.Group, name: str) -> bool:
    """Whether ``name`` is stored in this file; links to other places are not followed."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _bytes(array: h5py.Dataset) -> int:
    """Return the memory in bytes that an array or one of its chunks takes, with at least eight bytes per number."""
    n_values: int = max(math.prod(array.shape), math.prod(array.chunks or ()))
    return n_values * max(8, int(array.dtype.itemsize))


def _groups(file: h5py.File) -> list[h5py.Group]:
    """Return the groups that hold configurations, each once, depth first in the order of their names.

    :raises AnialError: if groups are nested deeper than in any dataset.
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
    """Return the arrays of a group, not yet read, by their names in ``_NAMES`` and ``_COLUMNS``."""
    found: dict[str, h5py.Dataset] = {}
    for name, aliases in _NAMES.items():
        alias = next((alias for alias in aliases if _is_here(group, alias)), None)
        if alias is not None:
            found[name] = group[alias]
        elif name in _NEEDED:
            raise AnialError(f'group {group.name}: has no {name}; a label needs energy, forces and stress.')
    # Columns with these names are our own only if there are content hashes, which are checked.
    if _is_here(group, 'content_hash'):
        found |= {name: group[name] for name in _COLUMNS if _is_here(group, name)}
    for name, array in found.items():
        if not isinstance(array, h5py.Dataset) or array.shape is None or array.is_virtual or array.external:
            raise AnialError(f'group {group.name}: {name}: is not an array within this file.')
        # Never objects: many of them can share one long text, references can lead anywhere, and HDF5 reads their
        # targets before they can be checked.
        if array.dtype.kind not in {'species': 'iufbS', '_id': 'S', 'lot': 'S'}.get(name, 'iufb'):
            needed = 'text of fixed length is' if name in ('_id', 'lot') else 'numbers are'
            raise AnialError(f'group {group.name}: {name}: holds {array.dtype} where {needed} needed.')
    _check_shapes(group, found)
    return found


def _check_shapes(group: h5py.Group, arrays: dict[str, h5py.Dataset]) -> None:
    """Raise an error unless the shapes fit the numbers of configurations and atoms."""
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
    """Return atomic numbers; older files store symbols instead."""
    values = array[()]
    if values.dtype.kind == 'S':
        symbols = [_text(symbol) for symbol in values.ravel()]
        values = np.array([atomic_numbers.get(symbol, 0) for symbol in symbols]).reshape(values.shape)
    return np.asarray(values, dtype=np.int64)


def _columns(arrays: dict[str, h5py.Dataset], n_cells: int) -> list[dict[str, Any]]:
    """Return, for each configuration, the values in the columns of this package."""
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
