"""Exported labels are those of the graph, and `whence` finds the export that wrote a file."""

from __future__ import annotations

import json

import ase.io
import numpy as np
import pytest
from aiida import orm
from aiida.tools import delete_nodes
from ase import units

from aiida_anial.calcfunctions.export_dataset import export_dataset
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import checksum
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.queries.records import count, records


def reference(campaign, keep=lambda *_: True):
    """Return energy and forces by UUID and content hash, of the labels of a campaign, read from its shards."""
    found = {}
    for shard in campaign.outputs.shards.values():
        labelled = shard.labelled
        hashes = labelled.hashes()
        for row in range(len(labelled)):
            if keep(labelled, row):
                found[labelled.uuids[row], hashes[row]] = (labelled.energies[row], labelled.forces_of(row))
    return found


@pytest.mark.parametrize('name', ['labels.extxyz', 'labels.h5', 'labels.db'])
def test_all_labels_of_a_campaign(exported, campaigns, name):
    dataset = read_dataset(exported(name))
    expected = reference(campaigns['main'])
    assert set(zip(dataset.labelled.uuids, dataset.hashes, strict=True)) == set(expected)
    for row, key in enumerate(zip(dataset.labelled.uuids, dataset.hashes, strict=True)):
        energy, forces = expected[key]
        assert dataset.labelled.energies[row] == energy
        np.testing.assert_array_equal(dataset.labelled.forces_of(row), forces)


def test_the_filters_of_a_query_select_the_labels(exported, campaigns):
    dataset = read_dataset(exported('some.extxyz', '--iteration', '1..', '--n-atoms', '5..'))
    expected = reference(
        campaigns['main'], lambda labelled, row: labelled.iterations[row] >= 1 and labelled.cells.n_atoms[row] >= 5
    )
    assert set(zip(dataset.labelled.uuids, dataset.hashes, strict=True)) == set(expected)
    assert len(dataset) == count(
        'labels', {'iteration': (1, None), 'n_atoms': (5, None)}, campaigns=[campaigns['main']]
    )
    assert dataset.header['filters'] == {
        'iteration': '1..',
        'n_atoms': '5..',
        'campaigns': [str(campaigns['main'].pk)],
    }


def test_every_configuration_names_its_calculation_its_split_and_its_theory(exported, campaigns):
    path = exported()
    by_hash = {row['content_hash']: row for row in records('labels', campaigns=[campaigns['main']])}
    images = ase.io.read(path, ':')
    header = read_dataset(path).header
    for atoms in images:
        row = by_hash[atoms.info['content_hash']]
        assert orm.load_node(atoms.info['calculation']).process_label == 'EvaluateCalculation'
        assert atoms.info['split_block'] == row['split_block']
        assert atoms.info['iteration'] == row['iteration']
        assert header['levels_of_theory'][atoms.info['level_of_theory']]['code'] == 'emt'
        assert atoms.get_potential_energy() == pytest.approx(row['energy_ev'], rel=1e-9)
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() == pytest.approx(row['max_force_ev_per_angstrom'])
    shards = {shard.uuid for shard in campaigns['main'].outputs.shards.values()}
    assert set(header['shards']) == shards


def test_an_export_is_a_process_whose_inputs_are_the_shards(exported, campaigns, invoke):
    path = exported()
    found = json.loads(invoke('whence', path, '--json').output)
    process = orm.load_node(found['exports'][0]['uuid'])
    assert process.process_label == 'export_dataset'
    inputs = {link.node.uuid for link in process.base.links.get_incoming().all() if link.link_label != 'settings'}
    assert inputs == {shard.uuid for shard in campaigns['main'].outputs.shards.values()}
    assert process.outputs.result.get_content(mode='rb') == path.read_bytes()


def test_the_same_export_gives_the_same_bytes(exported):
    first = exported('labels.h5', '--n-atoms', '5').read_bytes()
    settings, shards = last_export_inputs()
    again = export_dataset(settings=settings, **shards)
    assert again.get_content(mode='rb') == first


def last_export_inputs():
    process = newest('export_dataset')
    inputs = {link.link_label: link.node for link in process.base.links.get_incoming().all()}
    return inputs.pop('settings'), inputs


def test_whence_finds_a_copied_file_and_compares_a_changed_one(exported, invoke, tmp_path):
    path = exported()
    copy = tmp_path / 'copy-with-another-name'
    copy.write_bytes(path.read_bytes())
    assert 'unchanged, written by export_dataset' in invoke('whence', copy).output
    lines = path.read_text().splitlines(keepends=True)
    n_atoms = int(lines[0])
    copy.write_text(''.join(lines[: n_atoms + 2]))
    result = invoke('whence', copy)
    assert '1 of 1 configurations are labels of this profile' in result.output
    assert 'its header names the shard' in result.output
    copy.write_text('no dataset')
    result = invoke('whence', copy)
    assert result.exit_code == 1
    assert 'no export of this profile wrote it, and it is not a dataset' in result.output


def test_whence_compares_energies_forces_and_stresses(exported, invoke, tmp_path):
    path = exported()
    images = ase.io.read(path, ':')
    n_all = len(images)
    results = images[1].calc.results
    results['energy'] += 0.5
    results['forces'][0, 2] -= 0.25
    results['stress'][1] += 2 * units.GPa
    changed = tmp_path / 'changed.extxyz'
    ase.io.write(changed, images, format='extxyz')
    result = invoke('whence', changed)
    assert (
        f'{n_all} of {n_all} configurations are labels of this profile, {n_all - 1} with the same energy'
        in result.output
    )
    assert 'the others differ by up to 0.5 eV, 0.25 eV/Å and 2 GPa' in result.output


def test_an_export_of_several_levels_of_theory_says_so(invoke, campaigns, tmp_path, make_labelled):
    one = invoke('export', 'dataset', tmp_path / 'one.extxyz', '--campaign', campaigns['main'].pk)
    assert 'levels of theory' not in one.stderr
    shard = DatasetData(make_labelled(1, seed=99), LevelOfTheory(code='pw.x', functional='PBE')).store()
    try:
        result = invoke('export', 'dataset', tmp_path / 'all.extxyz')
        assert result.exit_code == 0, result.output
        assert 'labels of several levels of theory' in result.stderr
    finally:
        exported_with_it = [link.node.pk for link in shard.base.links.get_outgoing().all()]
        delete_nodes([shard.pk, *exported_with_it], dry_run=False)


@pytest.mark.parametrize('exception', [KeyboardInterrupt, OSError(28, 'No space left on device')])
@pytest.mark.parametrize(
    'arguments',
    [
        ('dataset', 'labels.extxyz'),
        ('trajectories', 'folder'),
        ('ensemble', 'PK', 'model.pt', '--format', 'torchscript'),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_export_that_is_interrupted_leaves_no_file_and_no_node(
    invoke, campaigns, tmp_path, monkeypatch, exception, arguments
):
    def stop(*_, **__):
        raise exception

    monkeypatch.setattr('shutil.copyfileobj', stop)
    monkeypatch.setattr('aiida.orm.nodes.repository.NodeRepository.copy_tree', stop)
    kind, *rest = (str(campaigns['main'].outputs.ensemble.pk) if one == 'PK' else one for one in arguments)
    rest = [tmp_path / one if one in ('labels.extxyz', 'folder', 'model.pt') else one for one in rest]
    before = orm.QueryBuilder().append(orm.Node).count()
    result = invoke('export', kind, *rest)
    assert result.exit_code == (130 if exception is KeyboardInterrupt else 1), result.output
    assert 'Traceback' not in result.output
    assert list(tmp_path.iterdir()) == []
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_whence_finds_only_nodes_of_files(invoke, tmp_path):
    path = tmp_path / 'file'
    path.write_text('no dataset')
    orm.Dict({'sha256': {checksum(path): path.name}}).store()
    assert 'no export of this profile wrote it' in invoke('whence', path).output


@pytest.mark.parametrize(
    ('name', 'filters', 'message'),
    [
        ('labels.pickle', (), "--format: 'labels.pickle' does not end in .extxyz or .h5 or .db"),
        ('no/folder.extxyz', (), 'there is no folder'),
        ('labels.extxyz', ('--n-atoms', '1000..'), 'filters: no label matches'),
        ('labels.extxyz', ('--n-atoms', 'few'), "--n-atoms: 'few' is not a whole number"),
        ('labels.extxyz', ('--campaign', '123456789'), "--campaign: there is no node '123456789'"),
    ],
)
def test_impossible_exports_are_refused_in_one_sentence_and_nothing_is_stored(
    invoke, campaigns, tmp_path, count_nodes, name, filters, message
):
    before = count_nodes()
    result = invoke('export', 'dataset', tmp_path / name, *filters)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count('\n') == 1
    assert count_nodes() == before
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_overwritten(exported, invoke):
    path = exported()
    result = invoke('export', 'dataset', path)
    assert 'it exists already' in result.output


@pytest.mark.parametrize(
    ('file_format', 'suffix'), [('extxyz', '.extxyz'), ('traj', '.traj'), ('lammps', '.lammpstrj')]
)
def test_trajectories_are_read_back_by_ase(invoke, campaigns, tmp_path, file_format, suffix):
    folder = tmp_path / 'trajectories'
    main = campaigns['main']
    options = ('--campaign', main.pk, '--iteration', 2, '--format', file_format)
    result = invoke('export', 'trajectories', folder, *options)
    assert result.exit_code == 0, result.output
    rows = records('trajectories', {'iteration': 2}, campaigns=[main])
    assert {path.stem for path in folder.glob(f'*{suffix}')} == {row['uuid'] for row in rows}
    for row in rows:
        node = orm.load_node(row['pk'])
        path = folder / f'{row["uuid"]}{suffix}'
        images = ase.io.read(path, ':')
        found = np.array([image.positions for image in images])
        np.testing.assert_allclose(found, node.get_array('positions'), atol=1e-9)
        assert f'written by export_trajectories<{newest("export_trajectories").pk}>' in invoke('whence', path).output


@pytest.mark.parametrize('file_format', ['safetensors', 'neurochem', 'torchani', 'torchscript'])
def test_ensembles_are_exported_and_whence_finds_the_export(invoke, campaigns, tmp_path, file_format):
    path = tmp_path / 'ensemble'
    ensemble = campaigns['main'].outputs.ensemble
    result = invoke('export', 'ensemble', ensemble.uuid, path, '--format', file_format)
    assert result.exit_code == 0, result.output
    written = sorted(part for part in path.rglob('*') if part.is_file()) if path.is_dir() else [path]
    assert written
    assert newest('export_ensemble').inputs.ensemble.pk == ensemble.pk
    for part in written:
        assert f'written by export_ensemble<{newest("export_ensemble").pk}>' in invoke('whence', part).output


def test_a_plugin_of_lammps_is_exported_and_built_where_that_is_possible(invoke, campaigns, tmp_path):
    ensemble = campaigns['main'].outputs.ensemble
    result = invoke('export', 'lammps', ensemble.uuid, tmp_path / 'plugin', '--member', 1, '--lmp', '/bin/true')
    assert result.exit_code == 0, result.output
    process = newest('export_sources')
    assert process.inputs.ensemble.pk == ensemble.pk
    assert f'1 networks, by export_sources<{process.pk}>' in result.stdout
    assert 'written, but not built: /bin/true does not say which version of LAMMPS it is.' in result.stderr
    assert f'written by export_sources<{process.pk}>' in invoke('whence', tmp_path / 'plugin' / 'anial.o').output


@pytest.mark.parametrize(
    ('member', 'existing', 'message'),
    [('99', False, '--member: 99 is not from 1 to 2.'), ('1', True, 'it exists already.')],
)
def test_a_plugin_that_cannot_be_is_refused_before_it_is_stored(invoke, campaigns, tmp_path, member, existing, message):
    before = orm.QueryBuilder().append(orm.CalcFunctionNode).count()
    folder = tmp_path / 'plugin'
    if existing:
        folder.mkdir()
    result = invoke('export', 'lammps', campaigns['main'].outputs.ensemble.uuid, folder, '--member', member)
    assert result.exit_code == 1
    assert message in result.output
    assert orm.QueryBuilder().append(orm.CalcFunctionNode).count() == before


def newest(name):
    query = orm.QueryBuilder().append(orm.CalcFunctionNode, filters={'attributes.process_label': name}, tag='export')
    return query.order_by({'export': {'id': 'desc'}}).first(flat=True)
