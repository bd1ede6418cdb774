"""``submit --continue-from``: what it refuses, what it prints, and what it would submit."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.continuation.plan import inputs_of
from aiida_anial.data.dataset import DatasetData
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs


@pytest.fixture
def submitted(monkeypatch):
    """Collect the submitted builders, and the nodes returned for them, instead of running them."""
    found: list[tuple[Any, Any]] = []

    def fake(builder):
        node = orm.WorkChainNode().store()
        found.append((builder, node))
        return node

    monkeypatch.setattr('aiida_anial.cli.preflight.check_machine', lambda: None)
    monkeypatch.setattr('aiida_anial.cli.resolve.submit', fake)
    return found


@pytest.fixture
def main(campaigns):
    """A campaign that has used up its two iterations."""
    return campaigns['main']


MORE = {'campaign': {'max_iterations': 4}}


def test_the_settings_are_those_of_the_campaign(invoke, main, write):
    result = invoke('submit', write(MORE), '--continue-from', main.pk, '--dry-run')
    assert result.exit_code == 0, result.output
    printed = campaign_inputs('demo', yaml.safe_load(result.stdout))
    old = inputs_of(main)
    assert printed.campaign.max_iterations == 4
    assert printed.model_copy(update={'campaign': old.campaign}) == old


def test_a_dry_run_prints_what_is_reused_and_stores_nothing(invoke, main, write, count_nodes):
    before = count_nodes()
    result = invoke('submit', write(MORE), '--continue-from', main.pk, '--dry-run')
    assert count_nodes() == before
    comments = [line for line in result.stdout.splitlines() if line.startswith('#')]
    n_labels = sum(shard.n_configurations for shard in main.outputs.shards.values())
    assert comments[0] == f'# continues: {main.pk}'
    assert f'{n_labels} labels in 5 shards, 0 labels of unfinished labellings' in comments[1]
    assert '2 iterations' in comments[2]


def test_a_protocol_gives_its_settings_but_neither_seed_nor_codes(invoke, main, write, submitted, pw_code):
    over = write({'label': {'labeller': 'emt'}, 'model': inputs_of(main).model.to_dict()})
    result = invoke('submit', over, '--continue-from', main.pk, '--protocol', 'laptop')
    assert result.exit_code == 0, result.output
    ((builder, _),) = submitted
    assert builder.seed.value == inputs_of(main).seed == 11
    assert builder.campaign['max_iterations'] == campaign_inputs('laptop').campaign.max_iterations
    assert builder.train.worker.code.uuid == main.inputs.train.worker.code.uuid


def test_the_nodes_of_the_campaign_itself_are_reused(invoke, main, write, submitted):
    result = invoke('submit', write(MORE), '--continue-from', main.uuid, '--label', 'more')
    assert result.exit_code == 0, result.output
    ((builder, node),) = submitted
    continued = builder.continued
    assert {key: shard.uuid for key, shard in continued.shards.items()} == {
        key: shard.uuid for key, shard in main.outputs.shards.items()
    }
    iterations = [child for child in main.called if child.process_label == 'AlIterationWorkChain']
    last = max(iterations, key=lambda child: child.pk)
    # The ensemble of the final training did not exist at that point.
    assert continued.training.ensemble.uuid == last.outputs.ensemble.uuid
    assert continued.thresholds.uuid == last.outputs.thresholds.uuid
    assert continued.iteration.value == 2
    assert len(continued.summaries) == 2
    assert node.base.extras.get('continues') == [main.uuid]


def refused(result) -> str:
    """Return the error message of a refused command."""
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('Error: ')
    return lines[0]


def test_a_campaign_with_nothing_left_to_do_is_refused(invoke, main, campaigns, write):
    text = refused(invoke('submit', '--continue-from', main.pk))
    assert f'campaign {main.pk} has used up its iterations' in text
    assert 'raise campaign.max_iterations above 2' in text
    converged = campaigns['again']
    text = refused(invoke('submit', write(MORE), '--continue-from', converged.pk))
    assert f"campaign {converged.pk} ended with the verdict 'converged'" in text


@pytest.mark.parametrize(
    'change',
    [
        {'thresholds': {'energy_ev_per_sqrt_atom': 1e-3}},
        {'schedules': {'t_max_ps': 0.07}},
        {'campaign': {'label_completed_fraction': 1.0}},
    ],
)
def test_a_converged_campaign_continues_if_the_verdict_may_change(invoke, campaigns, write, change):
    result = invoke('submit', write(change), '--continue-from', campaigns['again'].pk, '--dry-run')
    assert result.exit_code == 0, result.output


def test_a_changed_final_training_is_run(invoke, main, write, submitted):
    settings = {'max_steps': 30, 'batch_size': 8, 'evaluation_interval': 10}
    assert invoke('submit', write({'training': {'final': settings}}), '--continue-from', main.pk).exit_code == 0
    assert 'final' not in submitted[0][0].continued._inputs(prune=True)


@pytest.fixture
def begun(local_runner, worker_code, campaign_overrides):
    """A campaign that was submitted but has not done anything yet."""
    builder = campaign_builder(campaign_inputs('demo', campaign_overrides()), worker_code=worker_code)
    return instantiate_process(local_runner, builder).node


def test_no_label_no_campaign_and_no_node_are_refused(invoke, begun, main):
    begun.set_process_state(ProcessState.KILLED)
    assert f'campaign {begun.pk} has no labels' in refused(invoke('submit', '--continue-from', begun.pk))
    assert 'there is no node' in refused(invoke('submit', '--continue-from', 99999999))
    pk = main.outputs.ensemble.pk
    assert 'is a EnsembleData, not an ActiveLearningWorkChain' in refused(invoke('submit', '--continue-from', pk))
    assert '--dataset: node' in refused(invoke('submit', '--continue-from', main.pk, '--dataset', pk))


def test_an_active_campaign_is_refused_and_its_active_processes_are_named(invoke, begun):
    """This includes a campaign that has ended although a process under it has not."""
    begun.set_process_state(ProcessState.KILLED)
    alive = orm.WorkChainNode()
    alive.set_process_label('LabelWorkChain')
    alive.set_process_state(ProcessState.WAITING)
    alive.base.links.add_incoming(begun, link_type=LinkType.CALL_WORK, link_label='initial_labels')
    alive.store()
    text = refused(invoke('submit', '--continue-from', begun.pk))
    assert f'is still active (LabelWorkChain<{alive.pk}>)' in text
    assert f'verdi process kill {alive.pk}' in text


def test_a_dataset_joins_from_the_start_if_its_level_of_theory_is_that_of_the_labels(
    invoke, write, submitted, make_labelled, installed
):
    same = DatasetData(make_labelled(3, seed=5), LevelOfTheory(code='emt')).store()
    other = DatasetData(make_labelled(3, seed=6), LevelOfTheory(code='eam', potential_sha256='1')).store()
    unknown = DatasetData(make_labelled(3, seed=7)).store()
    fresh = ('submit', write({'label': {'labeller': 'emt'}}), '--protocol', 'demo')
    assert invoke(*fresh, '--dataset', same.pk, '--dataset', same.uuid).exit_code == 0
    assert {name: shard.uuid for name, shard in submitted[0][0].continued.shards.items()} == {'dataset_1': same.uuid}
    assert 'continues' not in submitted[0][1].base.extras
    text = refused(invoke(*fresh, '--dataset', same.pk, '--dataset', other.pk))
    assert f'--mix-theory: the labels of dataset {other.pk} have another level of theory (code emt and eam' in text
    assert 'is unknown' in refused(invoke(*fresh, '--dataset', unknown.pk))
    assert invoke(*fresh, '--dataset', other.pk, '--dataset', unknown.pk, '--mix-theory').exit_code == 0
    assert sorted(submitted[1][0].continued.shards) == ['dataset_1', 'dataset_2']


def test_changed_settings_of_the_labels_need_mix_theory_too(invoke, main, write):
    over = write({'campaign': {'max_iterations': 4}, 'label': {'labeller': 'ensemble'}})
    given = ('submit', over, '--continue-from', main.pk, '--teacher', main.outputs.ensemble.pk, '--dry-run')
    assert f'the labels of campaign {main.pk} have another level of theory' in refused(invoke(*given))
    assert invoke(*given, '--mix-theory').exit_code == 0
