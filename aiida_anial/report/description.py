"""Describe a release for programs: its facts, from its own files, and ``metadata.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import yaml

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.potential.potential import Potential, read_potential
from aiida_anial.report.ranges import label_counts, label_ranges

__all__ = ('ISOLATED_ATOMS_FILE', 'SCHEMA_VERSION', 'description')

SCHEMA_VERSION = 1
"""Version of the facts: a new one if a name is dropped or means something else."""

ISOLATED_ATOMS_FILE = 'isolated_atoms.extxyz'


def description(folder: Path) -> dict[str, Any]:
    """Return the facts about a release as JSON values.

    They come from its files alone, so that they can be had for any release, also without its graph.

    :param folder: the release.
    """
    citation = yaml.safe_load((folder / 'CITATION.cff').read_text(encoding='utf-8'))
    dataset = read_dataset(folder / 'dataset.parquet')
    header, labels = dataset.file_header, _table(folder, 'labels')
    return {
        'schema_version': SCHEMA_VERSION,
        'title': citation['title'],
        'abstract': citation['abstract'],
        'authors': [f'{author["given-names"]} {author["family-names"]}' for author in citation['authors']],
        'keywords': citation['keywords'],
        'license': citation['license'],
        'n_labels': len(dataset),
        'n_atoms': len(dataset.labelled.cells.positions),
        'elements': header['elements'],
        'counts': label_counts(labels),
        'ranges': label_ranges(labels),
        'levels_of_theory': header.get('levels_of_theory', {}),
        'level_of_theory_units': LevelOfTheory.UNITS,
        'campaign': _campaign(folder, dataset),
        'ensemble': _ensemble(read_potential(folder / 'ensemble.safetensors'), _table(folder, 'test_errors')),
        'isolated_atom_energies_ev': _isolated_atom_energies(folder / ISOLATED_ATOMS_FILE),
        'units': header['units'],
        'conventions': header['conventions'],
    }


def _table(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, none if the release does not have it."""
    path = folder / 'tables' / f'{name}.json'
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else []
    return rows


def _campaign(folder: Path, dataset: ExportedDataset) -> dict[str, Any]:
    """Return the state of the campaign whose labels these are."""
    (uuid,) = dataset.header['filters']['campaigns']
    rows = {row['uuid']: row for row in _table(folder, 'campaigns')}
    names = ('label', 'process_state', 'verdict', 'converged', 'n_iterations')
    return {'uuid': uuid, **{name: rows[uuid][name] for name in names}}


def _ensemble(potential: Potential, tested: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return architecture, self energy and the errors on test blocks, which are None if there is no test block."""
    metadata = potential.to_file().metadata
    energies = [(row['predicted_energy_ev'] - row['energy_ev']) / row['n_atoms'] for row in tested]
    forces = [row['force_rmse_ev_per_angstrom'] for row in tested]
    weights = [row['n_atoms'] for row in tested]
    return {
        'kind': potential.model.kind,
        'n_members': potential.model.n_members,
        'self_energy_ev': metadata.get('self_energy_ev'),
        'test_energy_rmse_mev_per_atom': 1e3 * float(np.sqrt(np.mean(np.square(energies)))) if tested else None,
        'test_force_rmse_ev_per_angstrom': (
            float(np.sqrt(np.average(np.square(forces), weights=weights))) if tested else None
        ),
    }


def _isolated_atom_energies(path: Path) -> dict[str, float]:
    """Return the energy of each isolated atom by its symbol; none if the release has no such file."""
    atoms = ase.io.read(path, ':') if path.is_file() else []
    return {one.get_chemical_formula(): float(one.get_potential_energy()) for one in atoms}
