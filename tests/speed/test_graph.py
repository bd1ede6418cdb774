"""A large campaign has the graph of the small one that it was built after, and all that asks the graph agrees."""

from __future__ import annotations

import math
import re
import shutil
from collections import defaultdict

import graph
import graph_builder
import graph_measure
import graph_tasks
import numpy as np
import pytest
from aiida import orm
from aiida.manage import get_manager
from graph_template import read_template
from graph_writer import Writer

from aiida_anial.data.pw_outputs import pw_label
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.records import count, records

PLAN = graph_builder.Plan(n_initial=6, cycles=((5, 4, 3), (2, 4, 2), (1, 1, 2)), n_atoms=(4, 9))
SMALL = {
    'campaign': {'n_initial_cells': 3, 'n_trajectories': [4, 4]},
    'training': {'final': None},
    'label': {'limits': {'max_failed_fraction': 1.0}},
}


def build(campaign):
    """Build a campaign after another one, and return its node and the pks of its nodes."""
    backend = get_manager().get_profile_storage()
    computers = {pk: pk for pk in orm.QueryBuilder().append(orm.Computer, project='id').all(flat=True)}
    writer, user = Writer(backend), orm.User.collection.get_default().pk
    first = newest() + 1
    pk = graph_builder.Builder(read_template(campaign), PLAN, writer, user=user, computers=computers).run()
    return orm.load_node(pk), range(first, newest() + 1)


def newest():
    return orm.QueryBuilder().append(orm.Node, project='id', tag='n').order_by({'n': {'id': 'desc'}}).first(flat=True)


def remove(pks):
    """Leave nothing of a built campaign to the other tests."""
    backend = get_manager().get_profile_storage()
    with backend.transaction():
        backend.delete_nodes_and_connections(list(pks))


def links_of_processes(campaign):
    """Return, by label of the process, the sets of links that such processes have: direction, type, name, other end."""
    processes = {node.pk: node.process_label for node in (campaign, *campaign.called_descendants)}
    found = defaultdict(set)
    for direction, tag in (('out', 'process'), ('in', 'other')):
        query = orm.QueryBuilder()
        keep = {'id': {'in': list(processes)}}
        query.append(orm.Node, tag=tag, filters=keep if tag == 'process' else {}, project=['id', 'node_type'])
        other = 'other' if tag == 'process' else 'process'
        query.append(
            orm.Node,
            tag=other,
            filters=keep if other == 'process' else {},
            project=['id', 'node_type'],
            with_incoming=tag,
            edge_project=['type', 'label'],
            edge_tag='link',
        )
        for row in query.iterdict():
            name = re.sub(r'\d+', 'N', row['link']['label'])
            found[row['process']['id']].add((direction, row['link']['type'], name, row['other']['node_type']))
    by_label = defaultdict(set)
    for pk, label in processes.items():
        by_label[label].add(frozenset(found[pk]))
    return dict(by_label)


@pytest.fixture(scope='module')
def built(campaigns):
    campaign, pks = build(campaigns['main'])
    yield campaign
    remove(pks)


@pytest.fixture(scope='module')
def labelled_by_pw(run_all, worker_code, pw_code, pseudo):
    """A campaign with real labels, and one that was built after it."""
    builder = graph_tasks.tiny_campaign(SMALL, worker_code=worker_code, pw_code=pw_code, pseudo=pseudo)
    (real,) = run_all(builder)
    assert real.is_finished_ok, real.exit_message
    campaign, pks = build(real)
    yield real, campaign
    remove(pks)


@pytest.fixture
def exported(built, tmp_path):
    return {
        suffix: graph_measure._export(tmp_path / f'labels.{suffix}', name, {'pk': label_pks(built)})
        and read_dataset(tmp_path / f'labels.{suffix}')
        for name, suffix in (('extxyz', 'extxyz'), ('hdf5', 'h5'))
    }


def label_pks(campaign):
    return [row['pk'] for row in records('labels', campaigns=[campaign])]


def shards_of(campaign):
    return dict(campaign.outputs.shards)


def test_processes_have_the_links_of_a_real_campaign(campaigns, built):
    assert links_of_processes(built) == links_of_processes(campaigns['main'])


def test_every_label_is_found_by_its_numbers(built):
    found = records('labels', campaigns=[built])
    assert len(found) == count('labels', campaigns=[built]) == PLAN.n_labels == 30
    shards = {shard.pk: shard.labelled for shard in shards_of(built).values()}
    for row in found:
        labelled = shards[row['shard']]
        assert row['energy_ev'] == pytest.approx(labelled.energies[row['row']], rel=1e-12)
        assert row['content_hash'] == labelled.hashes()[row['row']]
        assert row['iteration'] == labelled.iterations[row['row']]
        assert orm.load_node(row['calculation']).process_label == 'EvaluateCalculation'
    n_first = sum(PLAN.cycles[0])
    assert count('labels', {'iteration': 1}, campaigns=[built]) == n_first
    assert count('labels', {'origin': 'random'}, campaigns=[built]) == PLAN.n_initial


def test_every_trajectory_and_candidate_is_found(built):
    sizes = [sum(cycles) for cycles in PLAN.cycles]
    trajectories = records('trajectories', campaigns=[built])
    assert [[row['iteration'] for row in trajectories].count(index) for index in (1, 2, 3)] == sizes
    assert count('candidates', campaigns=[built]) == sum(sizes)
    assert count('ensembles', campaigns=[built]) == len(PLAN.cycles) + 2


def test_the_status_adds_up(built):
    status = campaign_status(built)
    assert [row['n_labels'] for row in status['iterations']] == [PLAN.n_initial, *map(sum, PLAN.cycles)]
    assert [row['index'] for row in status['iterations']] == [0, 1, 2, 3]
    assert status['n_labels'] == PLAN.n_labels


def test_every_training_sees_all_shards_so_far(built):
    iterations = sorted(
        (node for node in built.called if node.process_label == 'AlIterationWorkChain'), key=lambda node: node.pk
    )
    for index, iteration in enumerate(iterations, start=1):
        job = iteration.outputs.ensemble.creator
        assert sum(shard.n_configurations for shard in job.inputs.shards.values()) == PLAN.n_initial + sum(
            sum(cycles) for cycles in PLAN.cycles[:index]
        )
        assert iteration.outputs.training['n_configurations'] == sum(
            shard.n_configurations for shard in job.inputs.shards.values()
        )
    last = built.outputs.ensemble.creator.inputs
    assert {shard.uuid for shard in last.shards.values()} == {shard.uuid for shard in shards_of(built).values()}
    assert last.initial.uuid == iterations[-1].outputs.ensemble.uuid


def test_exports_are_the_shards(built, exported):
    expected = {content for shard in shards_of(built).values() for content in shard.labelled.hashes()}
    for dataset in exported.values():
        assert set(dataset.hashes) == expected
        assert len(dataset) == PLAN.n_labels


@pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')
@pytest.mark.slow
def test_a_label_by_pw_is_built_with_all_its_nodes(labelled_by_pw):
    real, campaign = labelled_by_pw
    assert links_of_processes(campaign) == links_of_processes(real)
    jobs = [node for node in campaign.called_descendants if node.process_label == 'PwCalculation']
    assert len(jobs) == PLAN.n_labels
    for shard in shards_of(campaign).values():
        labelled = shard.labelled
        for row, uuid in enumerate(labelled.uuids):
            outputs = orm.load_node(uuid).outputs
            label = pw_label(orm.load_node(uuid).inputs.structure, outputs.output_parameters, outputs.output_trajectory)
            assert label.energy == labelled.energies[row]
            np.testing.assert_array_equal(label.forces, labelled.forces_of(row))
            np.testing.assert_allclose(label.stress, labelled.stresses[row], rtol=1e-12)
            np.testing.assert_allclose(label.positions, labelled.cells.one(row)[0], atol=1e-9)
    files = [job.outputs.retrieved.base.repository.get_object_content('aiida.out') for job in jobs]
    assert len(set(files)) == len(jobs)


def test_growth_is_the_power_of_the_number_of_labels():
    few = {'n_labels': 100, 'linear_s': 1.0, 'constant_s': 0.3, 'square_s': 2.0, 'bytes': 5.0}
    many = {'n_labels': 1000, 'linear_s': 10.0, 'constant_s': 0.3, 'square_s': 200.0}
    found = graph.exponents(few, many)
    assert found == pytest.approx({'linear_s': 1.0, 'constant_s': 0.0, 'square_s': 2.0})
    assert all(math.isfinite(value) for value in found.values())


def test_a_plan_shares_the_labels_evenly():
    plan = graph_builder.Plan.of_size(6352)
    assert plan.n_labels == 6352
    assert len(plan.cycles) == 30
    assert {len(cycles) for cycles in plan.cycles} == {4}
    assert {size for cycles in plan.cycles for size in cycles} == {49, 50}
