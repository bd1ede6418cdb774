"""The content of the folder agrees with the graph, as read by independent programs."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import ase.io
import h5py
import jsonschema
import numpy as np
import pytest
import yaml
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.label import LabelData
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.pseudopotential import AL_PBE_UPF
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.report.exports import write_pseudopotentials

# Of the Citation File Format, doi:10.5281/zenodo.5171937, CC-BY-4.0.
SCHEMA = Path(__file__).with_name('cff-1.2.0.json')


def labels_of(campaign):
    """Return energy and forces by content hash."""
    found = {}
    for shard in campaign.outputs.shards.values():
        labelled = shard.labelled
        for row, content in enumerate(labelled.hashes()):
            found[content] = (labelled.energies[row], labelled.forces_of(row))
    return found


def test_the_dataset_has_every_label_once(release, campaigns):
    expected = labels_of(campaigns['main'])
    images = ase.io.read(release / 'dataset.extxyz', ':')
    assert sorted(atoms.info['content_hash'] for atoms in images) == sorted(expected)
    for atoms in images:
        energy, forces = expected[atoms.info['content_hash']]
        assert atoms.get_potential_energy() == energy
        np.testing.assert_array_equal(atoms.get_forces(), forces)
    with h5py.File(release / 'dataset.h5') as file:
        hashes = [bytes(row).hex() for group in file.values() for row in group['content_hash'][:]]
    assert sorted(hashes) == sorted(expected)


def test_the_potential_is_the_last_one_of_the_campaign(release, campaigns):
    atoms = ase.io.read(release / 'dataset.extxyz', 0)
    atoms.calc = AnialCalculator(release / 'ensemble.safetensors')
    energy = atoms.get_potential_energy()
    atoms.calc = campaigns['main'].outputs.ensemble.get_ase_calculator()
    assert atoms.get_potential_energy() == energy
    folder = read_neurochem(release / 'ensemble-neurochem')
    atoms.calc = AnialCalculator(folder)
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-5)


def test_the_card_begins_with_the_verdict_and_the_range_of_validity(release, campaigns):
    text = (release / 'README.md').read_text()
    head, _, rest = text.partition('## The campaign')
    assert '## What it is fit for' in head
    assert 'The campaign **has not converged** (iterations used up).' in head
    densities = [
        row.base.attributes.get('density_g_per_cm3') for row in orm.QueryBuilder().append(LabelData).all(flat=True)
    ]
    assert f'density {min(densities):.1f} to {max(densities):.1f} g/cm³' in head
    assert re.search(r'trajectories of up to [\d,]+ K', head)
    assert '## Files' in rest


def test_the_pseudopotentials_of_the_labels_are_there(tmp_path, aiida_profile):
    with AL_PBE_UPF.open('rb') as stream:
        pseudo = UpfData.get_or_create(stream, filename=AL_PBE_UPF.name).store()
    shards = {
        'emt': SimpleNamespace(level_of_theory=LevelOfTheory(code='emt')),
        'pw': SimpleNamespace(level_of_theory=LevelOfTheory(code='pw.x', pseudo_md5=pseudo.md5)),
        'unknown': SimpleNamespace(level_of_theory=None),
    }
    write_pseudopotentials(SimpleNamespace(shards=shards), tmp_path / 'some')
    assert [path.read_bytes() for path in (tmp_path / 'some').iterdir()] == [AL_PBE_UPF.read_bytes()]
    other = UpfData(BytesIO(AL_PBE_UPF.read_bytes() + b'\n'), filename=AL_PBE_UPF.name).store()
    shards['other'] = SimpleNamespace(level_of_theory=LevelOfTheory(code='pw.x', pseudo_md5=f'Al:{other.md5}'))
    write_pseudopotentials(SimpleNamespace(shards=shards), tmp_path / 'both')
    written = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (tmp_path / 'both').iterdir()}
    assert written == {f'{one.md5}-{AL_PBE_UPF.name}': one.md5 for one in (pseudo, other)}
    del shards['pw'], shards['other']
    write_pseudopotentials(SimpleNamespace(shards=shards), tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_sha256sum_accepts_the_checksums_of_all_files(release):
    subprocess.run(['sha256sum', '--check', '--strict', 'SHA256SUMS'], cwd=release, check=True, capture_output=True)
    listed = {line.split('  ', 1)[1] for line in (release / 'SHA256SUMS').read_text().splitlines()}
    there = {path.relative_to(release).as_posix() for path in release.rglob('*') if path.is_file()}
    assert listed == there - {'SHA256SUMS'}


def test_the_citation_is_valid_and_names_the_authors(release):
    citation = yaml.safe_load((release / 'CITATION.cff').read_text())
    jsonschema.validate(citation, json.loads(SCHEMA.read_text()))
    assert [author['family-names'] for author in citation['authors']] == ['Curie', 'van der Waals']
    assert citation['license'] == 'CC-BY-4.0'
    assert citation['references'][0]['doi'] == '10.1038/s41467-021-21376-0'


def test_the_settings_are_those_that_the_campaign_was_built_with(release, campaign_overrides):
    settings = yaml.safe_load((release / 'settings.yaml').read_text())
    CampaignInputs.parse(settings)
    given = campaign_overrides()
    assert settings['seed'] == given['seed']
    for part in ('campaign', 'schedules', 'model'):
        assert settings[part].items() >= given[part].items(), part
    assert settings['training']['final']['max_steps'] == 10


def test_tables_name_other_nodes_by_uuid(table):
    for kind, cls in (('labels', LabelData), ('shards', DatasetData)):
        uuids = {row['uuid'] for row in table(kind)}
        query = orm.QueryBuilder().append(cls, filters={'uuid': {'in': sorted(uuids)}})
        assert query.count() == len(table(kind)) > 0
    assert {row['shard'] for row in table('labels')} == {row['uuid'] for row in table('shards')}
    assert {row['trajectory'] for row in table('candidates')} <= {row['uuid'] for row in table('trajectories')}
    uuids = [row['uuid'] for row in table('iterations')]
    labels = [orm.load_node(uuid).process_label for uuid in uuids]
    assert labels == ['LabelWorkChain', 'AlIterationWorkChain', 'AlIterationWorkChain']


def test_every_column_of_a_query_is_explained_and_none_is_a_pk(release, table):
    explained = {(row['table'], row['column']) for row in table('columns') if row['help']}
    kinds = {path.stem for path in (release / 'tables').glob('*.csv')} - {'iterations', 'test_errors', 'columns'}
    assert {(kind, column) for kind in kinds for column in table(kind)[0]} == explained
    assert not any(column == 'pk' for _, column in explained)


def test_csv_and_json_agree(release, table):
    for path in (release / 'tables').glob('*.json'):
        rows = json.loads(path.read_text())
        written = [{key: '' if value is None else str(value) for key, value in row.items()} for row in rows]
        assert written == table(path.stem)


def test_the_errors_by_configuration_are_those_that_the_training_reported(table, campaigns):
    rows = table('test_errors')
    reported = campaigns['main'].outputs.training['test']
    per_atom = [(float(r['predicted_energy_ev']) - float(r['energy_ev'])) / int(r['n_atoms']) for r in rows]
    squares = [float(r['force_rmse_ev_per_angstrom']) ** 2 for r in rows]
    weights = [int(r['n_atoms']) for r in rows]
    assert 1e3 * np.sqrt(np.mean(np.square(per_atom))) == pytest.approx(reported['energy_rmse_mev_per_atom'], rel=1e-4)
    assert np.sqrt(np.average(squares, weights=weights)) == pytest.approx(
        reported['force_rmse_ev_per_angstrom'], rel=1e-4
    )
    assert len({(row['content_hash'], row['member']) for row in rows}) == len(rows)


def rows_of(card, heading):
    """Return the rows of the first table under a heading of a card, without its header."""
    section = card.split(f'\n## {heading}\n', 1)[1].split('\n## ', 1)[0]
    lines = [line for line in section.splitlines() if line.startswith('|')]
    end = next((n for n, line in enumerate(lines[2:], start=2) if line.startswith('| ---')), len(lines) + 1)
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2 : end - 1]]


def test_counts_and_errors_on_the_card_agree_with_the_graph(release, campaigns):
    card = (release / 'README.md').read_text()
    labelled = [shard.labelled for shard in campaigns['main'].outputs.shards.values()]
    n_labels = [int(row[2]) for row in rows_of(card, 'Labels')]
    assert sum(n_labels) == sum(len(part) for part in labelled)
    forces = [np.linalg.norm(part.forces, axis=1).max() for part in labelled]
    assert f'{max(forces):.3f} | eV/Å |' in card
    test = campaigns['main'].outputs.training['test']
    last = rows_of(card, 'Errors')[-1]
    assert last[0] == 'test'
    assert float(last[2]) == pytest.approx(test['energy_rmse_mev_per_atom'], abs=0.051)
    assert float(last[4]) == pytest.approx(test['force_rmse_ev_per_angstrom'], abs=0.00051)
    fresh = campaign_status(campaigns['main'])['iterations'][-1]['fresh_energy_rmse_mev_per_atom']
    assert f'{fresh:.1f} meV/atom' in card
    assert 'had not finished' not in card


def test_the_checksums_on_the_card_are_those_of_the_files(release):
    rows = rows_of((release / 'README.md').read_text(), 'Checksums')
    assert {'dataset.extxyz', 'dataset.h5', 'ensemble.safetensors', 'campaign.aiida'} <= {row[0] for row in rows}
    for name, digest in rows:
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest.strip('`')


def test_links_and_pictures_of_the_card_lead_to_files(release):
    targets = re.findall(r'\]\((?!https?:)([^)]+)\)', (release / 'README.md').read_text())
    assert len(targets) > 15
    assert [target for target in targets if not (release / target).exists()] == []


def test_the_python_on_the_card_works(release, monkeypatch):
    monkeypatch.chdir(release)
    blocks = re.findall(r'```python\n(.*?)```', (release / 'README.md').read_text(), re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, 'README.md', 'exec'), {})


@pytest.mark.parametrize(
    'name', ['dataset.h5', 'ensemble.safetensors', 'ensemble.pt', 'ensemble-neurochem/sae_linfit.dat']
)
def test_whence_finds_the_processes_that_the_card_names(release, invoke, name):
    found = json.loads(invoke('whence', release / name, '--json').output)
    uuids = [export['uuid'] for export in found['exports']]
    assert any(uuid in (release / 'README.md').read_text() for uuid in uuids)
