"""Datasets as HDF5 in the layout of the ANI datasets, which ``torchani.datasets.ANIDataset`` opens as it is.

One group for each number of atoms, such as ``055``, holds the configurations of that size. What torchani knows is in
its units, hartree and angstrom. What this package knows is beside it in eV, so that no bit is lost on the way back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase.units import Hartree
from numpy.typing import NDArray

from aiida_anial.formats.exported import ExportedDataset, header_text
from aiida_anial.training.splits import block_of

__all__ = ('HEADER_PARTS', 'write_hdf5')

# An attribute of fixed length holds 64 kB, and one of variable length hangs HDF5 where the file is damaged. So a long
# header goes on in the attributes that follow.
HEADER_PARTS = ('header', *(f'header_{part}' for part in range(1, 1000)))
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
    """Write the file, without times, so that the same dataset gives the same bytes."""
    n_atoms = dataset.labelled.cells.n_atoms
    origins = {origin: code for code, origin in enumerate(sorted(set(dataset.labelled.origins)))}
    with h5py.File(path, 'w', track_order=False) as file:
        file.attrs['grouping'] = 'by_num_atoms'
        text = header_text(dataset.file_header).encode('ascii')
        for part, start in zip(HEADER_PARTS, range(0, len(text), _PART), strict=False):
            file.attrs[part] = np.bytes_(text[start : start + _PART])
        for size in np.unique(n_atoms):
            group = file.create_group(f'{size:03d}')
            for name, values in _arrays(dataset, np.flatnonzero(n_atoms == size), origins).items():
                created = group.create_dataset(name, data=values, track_times=False)
                if name in _UNITS:
                    created.attrs['units'] = _UNITS[name]


def _arrays(dataset: ExportedDataset, chosen: NDArray[np.int64], origins: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Return the columns of a group, whose configurations ``chosen`` have the same number of atoms."""
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
        # torchani reads every column as numbers but these two names.
        '_id': np.array([labelled.uuids[index] for index in chosen], dtype='S36'),
        'lot': np.array([dataset.levels[index] for index in chosen], dtype='S64'),
        'index': chosen,
        'iteration': labelled.iterations[chosen],
        'origin': np.array(codes, dtype=h5py.enum_dtype(origins, basetype='i1')),
        'split_block': np.array([block_of(content_hash) for content_hash in hashes], dtype=np.int64),
        'content_hash': np.frombuffer(bytes.fromhex(''.join(hashes)), dtype=np.uint8).reshape(-1, 32),
    }
