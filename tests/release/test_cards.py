"""Hugging Face, ColabFit and JSON-LD: the files that they read agree with the labels and with the graph."""

from __future__ import annotations

import hashlib
import json
import shutil

import ase.io
import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard, ModelCard

from aiida_anial.formats.datasets import read_dataset
from aiida_anial.potential.packaged import path_of
from aiida_anial.report.cards import dataset_front_matter, write_descriptions

LAPTOP = path_of('Al-laptop').parent


@pytest.fixture(scope='session')
def metadata(release):
    return json.loads((release / 'metadata.json').read_text())


def test_the_rows_of_the_parquet_file_are_the_labels(release):
    images = ase.io.read(release / 'dataset.extxyz', ':')
    rows = pq.read_table(release / 'dataset.parquet').to_pylist()
    assert len(rows) == len(images)
    for row, atoms in zip(rows, images, strict=True):
        assert row['energy'] == atoms.get_potential_energy()
        np.testing.assert_array_equal(row['atomic_forces'], atoms.get_forces())
        np.testing.assert_array_equal(row['cauchy_stress'], atoms.get_stress(voigt=False))
        np.testing.assert_array_equal(row['positions'], atoms.positions)
        np.testing.assert_array_equal(row['cell'], atoms.cell.array)
        assert row['chemical_formula_hill'] == atoms.get_chemical_formula(mode='hill')
        assert row['configuration_id'] == atoms.info['content_hash']


def test_hugging_face_finds_the_table_of_the_dataset(release):
    card = DatasetCard.load(release / 'README.md')
    assert card.data.license == 'cc-by-4.0'
    assert card.data.size_categories == ['n<1K']
    ((config,),) = [card.data.to_dict()['configs']]
    assert pq.read_metadata(release / config['data_files'][0]['path']).num_rows > 0
    assert card.text.lstrip().startswith('# ')


def test_the_model_card_has_the_errors_that_the_training_reported(release, campaigns):
    card = ModelCard.load(release / 'MODEL.md')
    reported = campaigns['main'].outputs.training['test']
    found = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert found['energy RMSE, meV/atom'] == pytest.approx(reported['energy_rmse_mev_per_atom'], rel=1e-4)
    assert found['force RMSE, eV/angstrom'] == pytest.approx(reported['force_rmse_ev_per_angstrom'], rel=1e-4)
    assert 'has not converged** (iterations used up)' in card.text


def test_the_python_on_the_model_card_works(release, monkeypatch):
    monkeypatch.chdir(release)
    (block,) = [part.partition('```')[0] for part in (release / 'MODEL.md').read_text().split('```python\n')[1:]]
    exec(compile(block, 'MODEL.md', 'exec'), {})


def test_the_metadata_list_the_files_with_their_checksums(release, metadata):
    files = {one['contentUrl']: one['sha256'] for one in metadata['distribution']}
    assert {'dataset.parquet', 'dataset.extxyz', 'dataset.h5', 'ensemble.safetensors'} <= set(files)
    assert files == {name: hashlib.sha256((release / name).read_bytes()).hexdigest() for name in files}
    columns = [field['source']['extract']['column'] for field in metadata['recordSet'][0]['field']]
    assert columns == pq.read_schema(release / 'dataset.parquet').names


def test_the_facts_are_those_of_the_graph(metadata, campaigns):
    facts, campaign = metadata['facts'], campaigns['main']
    labelled = [shard.labelled for shard in campaign.outputs.shards.values()]
    assert facts['n_labels'] == sum(row['n_labels'] for row in facts['counts']) == sum(map(len, labelled))
    assert facts['campaign']['uuid'] == campaign.uuid
    assert facts['ensemble']['self_energy_ev'] == campaign.outputs.ensemble.ensemble.self_energy
    assert facts['isolated_atom_energies_ev'] == {}
    (theory,) = facts['levels_of_theory'].values()
    assert theory == next(iter(campaign.outputs.shards.values())).level_of_theory.to_dict()


def test_a_licence_that_hugging_face_does_not_know(metadata, tmp_path):
    (tmp_path / 'README.md').write_text(dataset_front_matter({**metadata['facts'], 'license': 'ODbL-1.0'}))
    data = DatasetCard.load(tmp_path / 'README.md').data.to_dict()
    link = 'https://spdx.org/licenses/ODbL-1.0.html'
    assert (data['license'], data['license_name'], data['license_link']) == ('other', 'odbl-1.0', link)


@pytest.mark.parametrize(('n_labels', 'size'), [(999, 'n<1K'), (1000, '1K<n<10K'), (6352, '1K<n<10K'), (10**6, 'n>1M')])
def test_sizes(metadata, n_labels, size):
    assert f'- {size}\n' in dataset_front_matter({**metadata['facts'], 'n_labels': n_labels})


def test_the_packaged_release_is_described_from_its_own_files(tmp_path):
    folder = tmp_path / 'again'
    shutil.copytree(LAPTOP, folder)
    for name in ('metadata.json', 'MODEL.md'):
        (folder / name).unlink()
    facts = write_descriptions(folder)
    for name in ('metadata.json', 'MODEL.md'):
        assert (folder / name).read_text() == (LAPTOP / name).read_text()
    assert (folder / 'README.md').read_text().startswith(dataset_front_matter(facts))
    tables = [read_dataset(folder / f'dataset.{suffix}') for suffix in ('extxyz', 'parquet')]
    assert tables[0].hashes == tables[1].hashes
    np.testing.assert_array_equal(tables[0].labelled.forces, tables[1].labelled.forces)
