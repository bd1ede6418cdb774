"""Imported labels: their origin, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from aiida import orm
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.pw_outputs import pw_level_of_theory
from aiida_anial.queries.records import records

THEORY = {'code': 'vasp', 'functional': 'PBE', 'ecutwfc_ry': 30.0, 'kpoints_mesh': [3, 3, 3]}


@pytest.fixture
def foreign(tmp_path):
    """Three cells labelled by EMT in a file that this package did not write."""
    generator = np.random.default_rng(4)
    images = []
    for size in (1, 2, 1):
        atoms = bulk('Al', cubic=True).repeat((size, 1, 1))
        atoms.positions += 0.1 * generator.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_forces()
        atoms.get_stress()
        images.append(atoms)
    path = tmp_path / 'foreign.extxyz'
    write(path, images)
    return path, images


@pytest.fixture
def theory(tmp_path):
    """A file that states the level of theory of the labels."""
    path = tmp_path / 'theory.yaml'
    path.write_text(yaml.safe_dump(THEORY))
    return path


def newest_shard():
    query = orm.QueryBuilder().append(DatasetData, tag='shard').order_by({'shard': {'id': 'desc'}})
    return query.first(flat=True)


def test_a_foreign_file_is_a_shard_of_its_own_origin_and_theory(invoke, foreign, theory):
    path, images = foreign
    result = invoke('import', 'dataset', path, '--level-of-theory', theory)
    assert result.exit_code == 0, result.output
    shard = newest_shard()
    assert f'Stored shard {shard.pk}: 3 labels' in result.output
    labelled = shard.labelled
    assert set(labelled.origins) == {'imported'}
    np.testing.assert_allclose(labelled.energies, [atoms.get_potential_energy() for atoms in images], atol=1e-7)
    np.testing.assert_allclose(labelled.forces_of(1), images[1].get_forces(), atol=1e-7)
    np.testing.assert_allclose(labelled.stresses[2], images[2].get_stress(voigt=False), atol=1e-8)
    assert shard.level_of_theory.to_dict().items() >= THEORY.items()
    assert shard.creator.inputs.file.filename == 'foreign.extxyz'
    rows = records('labels', {'shard': shard.pk})
    assert [row['n_atoms'] for row in rows] == [4, 8, 4]
    assert {row['code'] for row in rows} == {'vasp'}


@pytest.mark.parametrize('name', ['labels.extxyz', 'labels.h5', 'labels.db'])
def test_our_own_export_comes_back_with_its_theory_and_its_calculations(invoke, exported, campaigns, name):
    result = invoke('import', 'dataset', exported(name), '--campaign', campaigns['main'].pk)
    assert result.exit_code == 0, result.output
    labelled = newest_shard().labelled
    originals = [shard.labelled for shard in campaigns['main'].outputs.shards.values()]
    assert sorted(labelled.uuids) == sorted(uuid for original in originals for uuid in original.uuids)
    assert sorted(labelled.hashes()) == sorted(content for original in originals for content in original.hashes())
    assert newest_shard().level_of_theory.code == 'emt'


def test_another_theory_than_that_of_the_campaign_is_refused_without_mix_theory(
    invoke, foreign, theory, campaigns, count_nodes
):
    command = ('import', 'dataset', foreign[0], '--level-of-theory', theory, '--campaign', campaigns['main'].pk)
    before = count_nodes()
    result = invoke(*command)
    assert result.exit_code == 1
    assert 'differ in code vasp and emt, functional PBE and none' in result.output
    assert count_nodes() == before
    assert invoke(*command, '--mix-theory').exit_code == 0


def test_a_file_that_does_not_state_its_theory_is_refused(invoke, foreign, count_nodes):
    before = count_nodes()
    result = invoke('import', 'dataset', foreign[0])
    assert result.exit_code == 1
    assert 'does not state the level of theory of its labels' in result.output
    assert count_nodes() == before


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('code: vasp\ncutoff: 30\n', "level_of_theory.cutoff: unknown key 'cutoff'"),
        ('functional: PBE\n', 'level_of_theory.code: this key is required'),
        ('code: vasp\necutwfc_ry: high\n', "level_of_theory.ecutwfc_ry: 'high' is not allowed"),
    ],
)
def test_an_invalid_theory_is_refused_in_one_sentence(invoke, foreign, tmp_path, count_nodes, content, message):
    path = tmp_path / 'bad.yaml'
    path.write_text(content)
    before = count_nodes()
    result = invoke('import', 'dataset', foreign[0], '--level-of-theory', path)
    assert message in result.output
    assert count_nodes() == before


def test_a_file_with_its_own_theory_refuses_another_one(invoke, exported, theory, count_nodes):
    path, before = exported('labels.extxyz'), count_nodes()
    result = invoke('import', 'dataset', path, '--level-of-theory', theory)
    assert result.exit_code == 1
    assert '--level-of-theory: ' in result.output
    assert 'states its own, with code vasp and emt' in result.output
    assert count_nodes() == before


def test_a_file_that_is_imported_twice_says_so(invoke, foreign, theory):
    path, _ = foreign
    invoke('import', 'dataset', path, '--level-of-theory', theory)
    again = invoke('import', 'dataset', path, '--level-of-theory', theory)
    assert again.stderr.startswith('3 of 3 configurations are labels of this profile already')


def test_a_configuration_that_is_twice_in_a_file_is_named(invoke, foreign, theory, tmp_path):
    _, images = foreign
    write(tmp_path / 'twice.extxyz', [*images, images[1]])
    result = invoke('import', 'dataset', tmp_path / 'twice.extxyz', '--level-of-theory', theory)
    assert result.exit_code == 0, result.output
    assert 'label_000003 rejected: the same configuration as label_000001' in result.stderr
    assert newest_shard().n_configurations == 3


def test_a_file_in_other_units_is_refused(invoke, foreign, theory, tmp_path):
    images = foreign[1]
    for atoms in images:
        atoms.set_cell(atoms.cell / 0.529177, scale_atoms=True)
    path = tmp_path / 'bohr.extxyz'
    write(path, [Atoms(atoms, calculator=atoms.calc) for atoms in images])
    result = invoke('import', 'dataset', path, '--level-of-theory', theory)
    assert result.exit_code == 1
    assert result.output.count('\n') == 1


@pytest.fixture
def pw_job(fake_job):
    """Return a function that stores a finished calculation by pw.x."""

    def make(*, ecutwfc=16.0, symbol='Al', exit_status=0, arrays=('forces', 'stress'), energy=-20.0, shift=0.0):
        lattice = 4.05 * np.eye(3)
        structure = orm.StructureData(cell=lattice.tolist())
        positions = [[shift, 0, 0], [0, 2.1, 2.0], [2.0, 0, 2.0], [2.0, 2.0, 0]]
        for position in positions:
            structure.append_atom(position=position, symbols=symbol)
        trajectory = orm.TrajectoryData()
        trajectory.set_trajectory(symbols=[symbol] * 4, positions=np.array([positions], dtype=float))
        values = {'forces': np.full((1, 4, 3), 0.5), 'stress': np.diag([1.0, 2.0, 3.0])[None]}
        for name in arrays:
            trajectory.set_array(name, values[name])
        printed = {
            'energy': energy,
            'creator_version': '7.2',
            'dft_exchange_correlation': 'PBE',
            'monkhorst_pack_grid': [3, 3, 3],
        }
        job = fake_job(
            'quantumespresso.pw',
            inputs={'structure': structure, 'parameters': orm.Dict({'SYSTEM': {'ecutwfc': ecutwfc}})},
            outputs={'output_parameters': orm.Dict(printed), 'output_trajectory': trajectory},
            exit_status=exit_status,
        )
        job.set_process_label('PwCalculation')
        return job

    return make


def test_finished_calculations_are_labels(invoke, pw_job):
    jobs = [pw_job(), pw_job(energy=-21.0, shift=0.1)]
    result = invoke('import', 'calculations', *(job.pk for job in jobs))
    assert result.exit_code == 0, result.output
    shard = newest_shard()
    assert shard.labelled.uuids == tuple(job.uuid for job in jobs)
    assert shard.labelled.energies.tolist() == [-20.0, -21.0]
    assert shard.labelled.forces_of(0).tolist() == [[0.5] * 3] * 4
    assert shard.labelled.stresses[0, 1, 1] == pytest.approx(-2.0 / 160.2176634)
    theory = shard.level_of_theory
    assert (theory.code, theory.version, theory.ecutwfc_ry, theory.kpoints_mesh) == ('pw.x', '7.2', 16.0, (3, 3, 3))
    inputs = {link.node.uuid for link in shard.creator.base.links.get_incoming().all()}
    assert {job.inputs.structure.uuid for job in jobs} <= inputs


@pytest.mark.parametrize(
    ('rule', 'follows'),
    [
        ({'kpoints_density': 20}, True),
        ({'kpoints_density': 40}, False),
        ({'kpoints_distance': 0.6}, True),
        ({'kpoints_distance': 0.4}, False),
    ],
)
def test_a_mesh_that_follows_the_rule_of_a_campaign_is_of_its_level(
    invoke, pw_job, campaigns, monkeypatch, count_nodes, rule, follows
):
    """The cell of 4.05 angstrom and four atoms has 3x3x3 k-points."""
    job = pw_job(energy=-22.0, shift=0.2)
    theory = pw_level_of_theory(job.outputs.output_parameters, **rule)
    monkeypatch.setattr('aiida_anial.queries.graph.campaign_theories', lambda _: {'shard 1': theory})
    before = count_nodes()
    result = invoke('import', 'calculations', job.pk, '--campaign', campaigns['main'].pk)
    if follows:
        assert result.exit_code == 0, result.output
        assert newest_shard().level_of_theory == theory
    else:
        assert result.exit_code == 1
        assert 'differ in kpoints_mesh 3x3x3 and none' in result.output
        assert count_nodes() == before


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'symbol': 'Cu'}, 'contains Cu; only Al is supported'),
        ({'exit_status': 305}, 'did not succeed (exit status 305)'),
        ({'arrays': ('forces',)}, 'has no stress; a label needs energy, forces and stress'),
    ],
)
def test_a_calculation_that_gives_no_label_is_refused(invoke, pw_job, count_nodes, changes, message):
    job = pw_job(**changes)
    before = count_nodes()
    result = invoke('import', 'calculations', job.pk)
    assert result.exit_code == 1
    assert message in result.output
    assert count_nodes() == before


def test_calculations_of_two_levels_of_theory_are_refused(invoke, pw_job, count_nodes):
    jobs = [pw_job(), pw_job(ecutwfc=20.0)]
    before = count_nodes()
    result = invoke('import', 'calculations', *(job.pk for job in jobs))
    assert 'differ in ecutwfc_ry 20 and 16, ecutrho_ry 80 and 64' in result.output
    assert count_nodes() == before


def test_a_node_that_is_not_a_calculation_is_refused(invoke, campaigns):
    result = invoke('import', 'calculations', campaigns['main'].pk)
    assert 'is a ActiveLearningWorkChain, not a PwCalculation' in result.output
    assert 'PKS: there is no node' in invoke('import', 'calculations', 123456789).output
