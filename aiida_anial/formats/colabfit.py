"""The columns of ColabFit's datasets, and the labels in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray

from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.training.splits import block_of

__all__ = ('SCHEMA', 'colabfit_table')

_NUMBERS = pa.list_(pa.float64())
_VECTORS = pa.list_(_NUMBERS)
_TEXTS = pa.list_(pa.string())

# Those of materials.colabfit.org/docs/configuration_schema in its order, then our own.
SCHEMA = pa.schema(
    {
        'property_id': pa.string(),
        'property_hash': pa.string(),
        'last_modified': pa.timestamp('us'),
        'dataset_id': pa.string(),
        'multiplicity': pa.int32(),
        'software': pa.string(),
        'method': pa.string(),
        'energy': pa.float64(),
        'atomic_forces': _VECTORS,
        'cauchy_stress': _VECTORS,
        'cauchy_stress_volume_normalized': pa.bool_(),
        'electronic_band_gap': pa.float64(),
        'electronic_band_gap_type': pa.string(),
        'formation_energy': pa.float64(),
        'adsorption_energy': pa.float64(),
        'atomization_energy': pa.float64(),
        'max_force_norm': pa.float64(),
        'mean_force_norm': pa.float64(),
        'energy_above_hull': pa.float64(),
        'configuration_id': pa.string(),
        'configuration_hash': pa.string(),
        'structure_hash': pa.string(),
        'cell': _VECTORS,
        'positions': _VECTORS,
        'pbc': pa.list_(pa.bool_()),
        'chemical_formula_hill': pa.string(),
        'chemical_formula_reduced': pa.string(),
        'chemical_formula_anonymous': pa.string(),
        'elements': _TEXTS,
        'elements_ratios': _NUMBERS,
        'atomic_numbers': pa.list_(pa.int32()),
        'nsites': pa.int32(),
        'nelements': pa.int32(),
        'nperiodic_dimensions': pa.int32(),
        'dimension_types': pa.list_(pa.int32()),
        'names': _TEXTS,
        'labels': _TEXTS,
        'property_metadata_path': pa.string(),
        'configuration_metadata_path': pa.string(),
        'configuration_metadata': pa.string(),
        'property_metadata': pa.string(),
        'iteration': pa.int64(),
        'split_block': pa.int32(),
        'level_of_theory': pa.string(),
    }
)

_SOFTWARE = {'pw.x': 'Quantum ESPRESSO'}
_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'


def colabfit_table(dataset: ExportedDataset) -> pa.Table:
    """Return one row for each configuration; only the antisymmetric part of a stress is lost.

    Columns that ColabFit assigns itself, or for which labels have no value, are null.
    """
    known = {**_labels(dataset), **_compositions(dataset), **_origins(dataset)}
    arrays = []
    for field in SCHEMA:
        values = known.get(field.name, [None] * len(dataset))
        arrays.append(pa.array(values, field.type) if isinstance(values, list) else values)
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _labels(dataset: ExportedDataset) -> dict[str, Any]:
    """Return the columns of numbers: cells, positions, energies, forces and stresses."""
    labelled, cells = dataset.labelled, dataset.labelled.cells
    norms = np.linalg.norm(labelled.forces, axis=1)
    starts = cells.offsets[:-1]
    threes = 3 * np.arange(len(dataset) + 1)
    return {
        'energy': pa.array(labelled.energies),
        'atomic_forces': _nested(labelled.forces, cells.offsets),
        'cauchy_stress': _nested((labelled.stresses + labelled.stresses.transpose(0, 2, 1)) / 2, threes),
        'cauchy_stress_volume_normalized': [False] * len(dataset),
        'max_force_norm': pa.array(np.maximum.reduceat(norms, starts)),
        'mean_force_norm': pa.array(np.add.reduceat(norms, starts) / cells.n_atoms),
        'cell': _nested(cells.lattices, threes),
        'positions': _nested(cells.positions, cells.offsets),
        'pbc': [[True] * 3] * len(dataset),
        'nperiodic_dimensions': [3] * len(dataset),
        'dimension_types': [[1] * 3] * len(dataset),
    }


def _nested(values: NDArray[np.float64], offsets: NDArray[np.integer]) -> pa.ListArray:
    """Return vectors in lists.

    :param values: three numbers for each vector, in the order of the configurations.
    :param offsets: ``[C + 1]`` first vector of each configuration, and the number of vectors.
    """
    vectors = pa.ListArray.from_arrays(
        pa.array(np.arange(0, values.size + 1, 3), pa.int32()), pa.array(np.ascontiguousarray(values).ravel())
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), vectors)


def _compositions(dataset: ExportedDataset) -> dict[str, list[Any]]:
    """Return the columns that follow from the species of each configuration."""
    rows = [_composition(species) for _, _, species in dataset.labelled.cells.configurations()]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _composition(species: NDArray[np.integer]) -> dict[str, Any]:
    numbers, found = np.unique(species, return_counts=True)
    counts = dict(sorted(zip((chemical_symbols[number] for number in numbers), found.tolist(), strict=True)))
    divisor = math.gcd(*counts.values())
    reduced = {symbol: count // divisor for symbol, count in counts.items()}
    return {
        'chemical_formula_hill': Formula.from_dict(counts).format('hill'),
        'chemical_formula_reduced': _formula(reduced.items()),
        'chemical_formula_anonymous': _formula(zip(_LETTERS, sorted(reduced.values(), reverse=True), strict=False)),
        'elements': list(counts),
        'elements_ratios': [count / len(species) for count in counts.values()],
        'atomic_numbers': species.tolist(),
        'nsites': len(species),
        'nelements': len(counts),
    }


def _formula(counts: Iterable[tuple[str, int]]) -> str:
    return ''.join(f'{name}{count if count > 1 else ""}' for name, count in counts)


def _origins(dataset: ExportedDataset) -> dict[str, list[Any]]:
    """Return the columns that say where each label is from and how it was computed."""
    labelled, theories = dataset.labelled, dataset.header.get('levels_of_theory', {})
    found = [theories.get(level) or {} for level in dataset.levels]
    return {
        'property_id': list(labelled.uuids),
        'multiplicity': [1] * len(dataset),
        'software': [_software(theory) for theory in found],
        'method': [_method(theory) for theory in found],
        'configuration_id': list(dataset.hashes),
        'labels': [[origin] for origin in labelled.origins],
        'property_metadata': [json.dumps(theory, sort_keys=True) if theory else None for theory in found],
        'iteration': labelled.iterations.tolist(),
        'split_block': [block_of(content) for content in dataset.hashes],
        'level_of_theory': list(dataset.levels),
    }


def _software(theory: Mapping[str, Any]) -> str | None:
    """Return program and version, such as ``Quantum ESPRESSO 6.7``."""
    code = theory.get('code')
    return ' '.join(filter(None, [_SOFTWARE.get(code, code), theory.get('version')])) if code else None


def _method(theory: Mapping[str, Any]) -> str | None:
    """Return the method in the words of ColabFit, such as ``DFT-PBE``."""
    return f'DFT-{theory["functional"]}' if theory.get('functional') else theory.get('code')
