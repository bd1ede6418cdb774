"""A whole campaign, small, and the way back through its graph from any label to every seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.common.labels import content_hash
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_cells
from aiida_anial.training.splits import block_of


def called(node: Any, label: str) -> list[Any]:
    """Return the children of ``node`` of one kind, in the order of their making."""
    return sorted((child for child in node.called if child.process_label == label), key=lambda child: child.pk)


@pytest.fixture
def main(campaigns) -> Any:
    """The campaign of two iterations."""
    return campaigns['main']


@pytest.fixture
def iterations(main) -> list[Any]:
    """Its iterations."""
    return called(main, 'AlIterationWorkChain')


def test_the_campaign_ends_well_with_its_shards_ensemble_and_summary(main):
    assert main.is_finished_ok, main.exit_message
    assert sorted(main.outputs.shards) == [
        'shard_000',
        'shard_001_cycle_00',
        'shard_001_cycle_01',
        'shard_002_cycle_00',
        'shard_002_cycle_01',
    ]
    summary = main.outputs.summary.get_dict()
    assert summary['verdict'] == 'iterations used up'
    assert (summary['n_iterations'], summary['n_trajectories']) == (2, 8)
    assert summary['n_labels'] == sum(shard.n_configurations for shard in main.outputs.shards.values())
    assert isinstance(main.outputs.ensemble, EnsembleData)


def test_every_output_was_made_by_a_calculation(main):
    outputs = [*main.outputs.shards.values(), main.outputs.ensemble, main.outputs.summary, main.outputs.training]
    assert all(node.creator is not None for node in outputs)


def test_only_the_data_of_the_user_has_no_creator(main, iterations):
    for chain in (main, *iterations):
        for link in chain.base.links.get_outgoing(link_type=LinkType.RETURN).all():
            assert link.node.creator is not None, link.link_label


def test_the_last_ensemble_has_seen_all_labels(main):
    job = main.outputs.ensemble.creator
    assert {shard.uuid for shard in job.inputs.shards.values()} == {
        shard.uuid for shard in main.outputs.shards.values()
    }
    assert job.inputs.settings['max_steps'] == 10


def test_each_iteration_samples_with_the_ensemble_of_the_one_before(main, iterations):
    first = called(main, 'TrainWorkChain')[0].outputs.ensemble
    assert iterations[0].inputs.cycle.ensemble.uuid == first.uuid
    assert iterations[1].inputs.cycle.ensemble.uuid == iterations[0].outputs.ensemble.uuid
    assert iterations[1].inputs.cycle.thresholds.uuid == iterations[0].outputs.thresholds.uuid


def test_a_retraining_starts_from_the_ensemble_before_it_and_adds_the_fresh_labels(iterations):
    for iteration in iterations:
        job = iteration.outputs.ensemble.creator
        assert job.inputs.initial.uuid == iteration.inputs.cycle.ensemble.uuid
        old = {shard.uuid for shard in iteration.inputs.shards.values()}
        fresh = {shard.uuid for shard in iteration.outputs.shards.values()}
        assert not old & fresh
        assert {shard.uuid for shard in job.inputs.shards.values()} == old | fresh


def test_the_errors_on_fresh_labels_are_those_of_an_ensemble_that_had_not_seen_them(iterations):
    for iteration in iterations:
        (job,) = called(iteration, 'ValidateCalculation')
        fresh = {shard.uuid for shard in job.inputs.shards.values()}
        seen = {shard.uuid for shard in job.inputs.ensemble.creator.inputs.shards.values()}
        assert fresh
        assert not fresh & seen
        assert iteration.outputs.fresh_errors.creator.uuid == job.uuid


def test_trajectories_grow_from_iteration_to_iteration(iterations):
    lengths = [
        {schedule['t_max_ps'] for schedule in called(cycle, 'SampleWorkChain')[0].inputs.worker.schedules.get_list()}
        for iteration in iterations
        for cycle in called(iteration, 'CycleWorkChain')
    ]
    assert [round(length, 9) for (length,) in lengths] == [0.06, 0.06, 0.09, 0.09]


def test_cycles_share_the_trajectories_and_the_slots_and_draw_other_cells(iterations):
    for iteration in iterations:
        cycles = called(iteration, 'CycleWorkChain')
        assert [cycle.inputs.number.value for cycle in cycles] == [2, 2]
        assert [cycle.inputs.cycle.value for cycle in cycles] == [0, 1]
        hashes = [start_hashes(cycle) for cycle in cycles]
        assert not set(hashes[0]) & set(hashes[1])


def start_hashes(cycle: Any) -> list[str]:
    """Return the hashes of the cells from which the trajectories of a cycle start."""
    cells = to_cells(dict(called(cycle, 'SampleWorkChain')[0].inputs.worker.cells))
    return [content_hash(*cell) for cell in cells.configurations()]


def test_from_a_label_of_active_learning_back_to_everything_it_follows_from(main, iterations):
    """One label of the second iteration, and nothing but links."""
    name = 'shard_002_cycle_01'
    labelled = main.outputs.shards[name].labelled
    job = orm.load_node(labelled.uuids[0])
    positions, _ = labelled.cells.one(0)
    hashes = {
        label: content_hash(*next(to_cells({label: node}).configurations())) for label, node in job.inputs.cells.items()
    }
    (label,) = [key for key, found in hashes.items() if found == labelled.hashes()[0]]
    structure = job.inputs.cells[label]

    trajectory = one(orm.StructureData, structure, orm.CalcFunctionNode, orm.TrajectoryData)
    frame = trajectory.base.attributes.get('candidate_frame')
    np.testing.assert_allclose(trajectory.get_array('positions')[frame], positions, atol=1e-6)

    sampling = trajectory.creator
    start = sampling.inputs.cells[label]
    np.testing.assert_allclose(trajectory.get_array('positions')[0], [site.position for site in start.sites], atol=1e-9)
    row = sorted(sampling.inputs.cells).index(label)
    assert sampling.inputs.schedules[row]['t_max_ps'] == pytest.approx(0.09)

    drawing = start.creator
    assert drawing.process_label == 'generate_cells'
    assert drawing.inputs.settings.uuid == main.inputs.cycle.cell_settings.uuid
    for seeded in (drawing.inputs.seed, sampling.inputs.seed, sampling.inputs.schedules.creator.inputs.seed):
        deriving = seeded.creator
        assert deriving.process_label == 'derive_seeds'
        assert deriving.inputs.seed.uuid == main.inputs.seed.uuid
        assert (deriving.inputs.iteration.value, deriving.inputs.cycle.value) == (2, 1)

    training = sampling.inputs.ensemble.creator
    shards = {shard.uuid for shard in training.inputs.shards.values()}
    expected = {main.outputs.shards[key].uuid for key in main.outputs.shards if not key.startswith('shard_002')}
    assert shards == expected


def one(kind: type, node: Any, process: type, ancestor: type) -> Any:
    """Return the one input of a kind of the process that made ``node``, found by a query."""
    query = orm.QueryBuilder()
    query.append(ancestor, tag='ancestor')
    query.append(process, with_incoming='ancestor', tag='process')
    query.append(kind, with_incoming='process', filters={'uuid': node.uuid})
    query.add_projection('ancestor', '*')
    return query.one()[0]


def test_every_label_that_an_ensemble_was_trained_on_is_found_by_a_query(main):
    query = orm.QueryBuilder()
    query.append(EnsembleData, filters={'uuid': main.outputs.ensemble.uuid}, tag='ensemble')
    query.append(orm.CalcJobNode, with_outgoing='ensemble', tag='training')
    query.append(DatasetData, with_outgoing='training')
    uuids = {uuid for shard in query.all(flat=True) for uuid in shard.labelled.uuids}
    jobs = [orm.load_node(uuid) for uuid in uuids]
    assert {job.process_label for job in jobs} == {'EvaluateCalculation'}
    descendants = {child.uuid for child in main.called_descendants}
    assert uuids <= descendants


def test_labels_carry_their_iteration_and_origin(main):
    for name, shard in main.outputs.shards.items():
        iteration = int(name.split('_')[1])
        labelled = shard.labelled
        assert set(labelled.iterations.tolist()) == {iteration}
        assert set(labelled.origins) == {'random' if iteration == 0 else 'active_learning'}


def test_the_same_seed_gives_the_same_cells_schedules_and_blocks(campaigns):
    cells, schedules, blocks = [], [], []
    for name in ('main', 'again'):
        campaign = campaigns[name]
        initial = to_cells(dict(called(campaign, 'LabelWorkChain')[0].inputs.cells))
        cycles = called(called(campaign, 'AlIterationWorkChain')[0], 'CycleWorkChain')
        cells.append(
            [content_hash(*cell) for cell in initial.configurations()]
            + [hash_ for c in cycles for hash_ in start_hashes(c)]
        )
        samplings = [called(cycle, 'SampleWorkChain')[0] for cycle in cycles]
        schedules.append([sampling.inputs.worker.schedules.get_list() for sampling in samplings])
        blocks.append([block_of(hash_) for hash_ in campaign.outputs.shards.shard_000.labelled.hashes()])
    assert cells[0] == cells[1]
    assert len(set(cells[0])) == 12 + 4
    assert schedules[0] == schedules[1]
    assert blocks[0] == blocks[1]


def test_the_same_labels_and_seed_give_the_same_first_ensemble(campaigns):
    first = [called(campaigns[name], 'TrainWorkChain')[0].outputs.ensemble for name in ('main', 'again')]
    assert first[0].base.caching.get_hash() == first[1].base.caching.get_hash()


def test_nothing_to_label_and_nothing_stopped_is_convergence(campaigns):
    campaign = campaigns['again']
    assert campaign.is_finished_ok
    assert campaign.outputs.summary['verdict'] == 'converged'
    assert sorted(campaign.outputs.shards) == ['shard_000']
    first = called(campaign, 'TrainWorkChain')[0].outputs.ensemble
    assert campaign.outputs.ensemble.uuid == first.uuid


def test_a_campaign_whose_labels_all_fail_says_why(campaigns):
    campaign = campaigns['failed']
    assert campaign.exit_status == 401
    assert campaign.exit_message.startswith('The initial labelling failed: LabelWorkChain<')
    assert '12 of 12 labels failed' in campaign.exit_message


def test_settings_are_shared_by_all_processes_of_a_campaign(main):
    for kind, port in (('SampleWorkChain', 'settings'), ('TrainWorkChain', 'model')):
        chains = [node for node in main.called_descendants if node.process_label == kind]
        assert len({chain.inputs.worker[port].uuid for chain in chains}) == 1, kind


def test_the_reports_name_every_stage(main, iterations):
    lines = [log.message for node in (main, *iterations) for log in orm.Log.collection.get_logs_for(node)]
    for words in (
        'for 12 random cells',
        '(initial_training) on 12 labels',
        'with 4 trajectories, threshold',
        'trajectories stopped by disagreement, median time',
        '(final_training)',
        'iterations used up after 2 iterations',
    ):
        assert any(words in line for line in lines), words


def test_work_chains_know_their_iteration_by_name(main):
    labels = {link.link_label for link in main.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all()}
    assert labels >= {'initial_labels', 'initial_training', 'iteration_001', 'iteration_002', 'final_training'}
