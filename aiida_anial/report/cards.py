"""Write what Hugging Face and other repositories read: front matter, the model card and ``metadata.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from aiida_anial.report.checksums import size_and_checksum
from aiida_anial.report.croissant import croissant
from aiida_anial.report.description import description
from aiida_anial.report.texts import model_card

__all__ = ('dataset_front_matter', 'write_descriptions')

# Those identifiers of Hugging Face that are SPDX identifiers in lower case.
_LICENCES = {
    *('agpl-3.0', 'apache-2.0', 'bsd-2-clause', 'bsd-3-clause', 'cc0-1.0', 'cc-by-2.0', 'cc-by-2.5', 'cc-by-3.0'),
    *('cc-by-4.0', 'cc-by-sa-3.0', 'cc-by-sa-4.0', 'cc-by-nc-2.0', 'cc-by-nc-3.0', 'cc-by-nc-4.0', 'cc-by-nd-4.0'),
    *('cc-by-nc-nd-3.0', 'cc-by-nc-nd-4.0', 'cc-by-nc-sa-2.0', 'cc-by-nc-sa-3.0', 'cc-by-nc-sa-4.0', 'mit'),
    *('cdla-permissive-1.0', 'cdla-permissive-2.0', 'cdla-sharing-1.0', 'gpl-2.0', 'gpl-3.0', 'lgpl-2.1', 'lgpl-3.0'),
}
# The first three are those of ColabFit's datasets.
_TAGS = ['molecular dynamics', 'mlip', 'interatomic potential', 'active learning', 'materials science']
_SIZES = {1_000: 'n<1K', 10_000: '1K<n<10K', 100_000: '10K<n<100K', 1_000_000: '100K<n<1M'}
_LISTED = ('dataset.', 'ensemble.', 'isolated_atoms.')


def write_descriptions(folder: Path) -> dict[str, Any]:
    """Write ``metadata.json`` and ``MODEL.md`` into a release, and return the facts in them.

    :param folder: the release, complete but for its cards and checksums.
    """
    facts = description(folder)
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name.startswith(_LISTED))
    files = {path.name: size_and_checksum(path) for path in paths}
    text = json.dumps(croissant(folder, facts, files), indent=1, ensure_ascii=False)
    (folder / 'metadata.json').write_text(text + '\n', encoding='utf-8')
    (folder / 'MODEL.md').write_text(_front_matter(_model_entries(facts)) + model_card(facts), encoding='utf-8')
    return facts


def dataset_front_matter(facts: Mapping[str, Any]) -> str:
    """Return the YAML with which Hugging Face shows the folder as a dataset.

    :param facts: result of :func:`~aiida_anial.report.description.description`.
    """
    size = next((name for limit, name in _SIZES.items() if facts['n_labels'] < limit), 'n>1M')
    entries = {
        **_common(facts),
        'pretty_name': facts['title'],
        'task_categories': ['graph-ml'],
        'size_categories': [size],
        'configs': [
            {'config_name': 'default', 'data_files': [{'split': 'train', 'path': 'dataset.parquet'}]},
        ],
    }
    return _front_matter(entries)


def _model_entries(facts: Mapping[str, Any]) -> dict[str, Any]:
    entries = {**_common(facts), 'library_name': 'aiida-anial'}
    ensemble = facts['ensemble']
    if ensemble['test_energy_rmse_mev_per_atom'] is None:
        return entries
    metrics = [
        {'type': 'rmse', 'name': 'energy RMSE, meV/atom', 'value': ensemble['test_energy_rmse_mev_per_atom']},
        {'type': 'rmse', 'name': 'force RMSE, eV/angstrom', 'value': ensemble['test_force_rmse_ev_per_angstrom']},
    ]
    result = {
        'task': {'type': 'graph-ml', 'name': 'energies and forces'},
        'dataset': {'type': 'aiida-anial', 'name': 'test block of each member'},
        'metrics': metrics,
    }
    return {**entries, 'metrics': ['rmse'], 'model-index': [{'name': facts['title'], 'results': [result]}]}


def _common(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that both cards have."""
    name = facts['license'].lower()
    licence = {'license': name}
    if name not in _LICENCES:
        link = f'https://spdx.org/licenses/{facts["license"]}.html'
        licence = {'license': 'other', 'license_name': name, 'license_link': link}
    return {**licence, 'tags': [*_TAGS, *facts['elements']]}


def _front_matter(entries: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(entries), sort_keys=False, allow_unicode=True, width=100)
    return f'---\n{text}---\n\n'
