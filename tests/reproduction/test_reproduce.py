"""Every kind of step runs again, not from the cache, and gives the same result bit for bit."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.calcfunctions.export_dataset import export_dataset
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.formats.datasets import DATASET_FORMATS
from aiida_anial.queries.records import count
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.steps import load_step
from aiida_anial.reproduction.verdicts import Verdict

PROCESSES = (
    'generate_cells',
    'draw_schedules',
    'derive_seeds',
    'extract_candidate',
    'collect_evaluated',
    'summarise_iteration',
    'summarise_campaign',
    'EvaluateCalculation',
    'ValidateCalculation',
    'SampleCalculation',
    'SampleWorkChain',
    'TrainEnsembleCalculation',
    'TrainWorkChain',
)


def snapshot(node):
    """Return everything of a node that a repetition could change."""
    outgoing = {(link.link_label, link.node.uuid) for link in node.base.links.get_outgoing().all()}
    return node.label, node.mtime, node.base.attributes.all, node.base.extras.all, outgoing


@pytest.mark.parametrize('process', PROCESSES)
def test_a_step_runs_again_with_the_same_bits_although_the_cache_is_on(steps, caching, process):
    original = steps[process][-1]
    before = snapshot(original)
    result = reproduce(original, Codes())
    assert result.verdict == Verdict.IDENTICAL, [record for record in result.records if not record.identical]
    assert len(result.records) > 0
    assert snapshot(original) == before

    again = result.again
    assert again.base.extras.get(REPRODUCES) == original.uuid
    assert again.label
    assert again.caller is None
    processes = [again, *again.called_descendants]
    assert not any(node.base.caching.is_created_from_cache for node in processes)
    made = {
        node.uuid for node in again.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all_nodes()
    }
    assert made
    assert not made & {node.uuid for node in original.base.links.get_outgoing().all_nodes()}
    if isinstance(again, orm.WorkChainNode):
        folders = [node.outputs.remote_folder for node in again.called if 'remote_folder' in node.outputs]
        assert folders
        assert all(folder.is_cleaned for folder in folders)


def test_the_cache_would_have_given_the_original(steps, caching):
    """Without this, the test above could not fail."""
    from aiida.engine import run_get_node

    original = steps['generate_cells'][0]
    inputs = {link.link_label: link.node for link in original.base.links.get_incoming(link_type=LinkType.INPUT_CALC)}
    _, node = run_get_node(original.process_class, **inputs)
    assert node.base.caching.is_created_from_cache


def test_for_a_data_node_its_creator_runs_again(steps):
    cells = steps['generate_cells'][0]
    assert load_step(str(cells.outputs.cell_0003.pk)).uuid == cells.uuid
    trajectory = next(iter(steps['SampleCalculation'][0].outputs.trajectories.values()))
    assert load_step(trajectory.uuid).uuid == steps['SampleCalculation'][0].uuid


def test_queries_leave_repetitions_out(campaigns):
    shard = campaigns['main'].outputs.shards['shard_000']
    kinds = ('labels', 'shards', 'trajectories', 'ensembles')
    before = [count(kind) for kind in kinds]
    cycle = next(node for node in campaigns['main'].called_descendants if node.process_label == 'SampleWorkChain')
    for step in (shard.creator, cycle):
        reproduce(step, Codes())
    assert [count(kind) for kind in kinds] == before


@pytest.mark.parametrize('file_format', sorted(DATASET_FORMATS))
def test_an_export_is_written_again_byte_by_byte(aiida_profile, make_labelled, caching, file_format):
    shards = {'shard_000': DatasetData(make_labelled(3)).store(), 'shard_001': DatasetData(make_labelled(2, seed=1))}
    settings = orm.Dict({'file_format': file_format, 'filename': f'labels{DATASET_FORMATS[file_format].suffix}'})
    file = export_dataset(settings, **shards)
    result = reproduce(load_step(file.uuid), Codes())
    assert result.verdict == Verdict.IDENTICAL, [record for record in result.records if not record.identical]
    assert not result.again.base.caching.is_created_from_cache
    assert file.filename in {record.quantity for record in result.records}
