"""How the work chains treat failed children; the children are fakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain
from aiida_anial.workchains.cycle import CycleWorkChain
from aiida_anial.workchains.iteration import AlIterationWorkChain
from aiida_anial.workchains.label import LabelWorkChain

ROWS = {'trajectories': [{'stop_reason': 'energy_disagreement', 'stop_time_ps': 0.5}]}


@pytest.fixture
def make_campaign(local_runner, worker_code, pw_code, pseudo, campaign_overrides) -> Callable[..., Any]:
    """Return a function that makes a campaign that has been set up but not run."""

    def make(**changes: Any) -> Any:
        changes['campaign'] = {'n_initial_cells': 1, **changes.get('campaign', {})}
        inputs = campaign_inputs('demo', campaign_overrides(**changes))
        builder: Any = campaign_builder(inputs, worker_code=worker_code, pw_code=pw_code, pseudo=pseudo)
        process: Any = instantiate_process(local_runner, builder)
        process.setup()
        return process

    return make


@pytest.fixture
def make_iteration(local_runner, make_campaign, make_ensemble, make_labelled) -> Callable[..., Any]:
    """Return a function that makes an iteration that has been set up but not run."""

    def make(**changes: Any) -> Any:
        campaign = make_campaign(**changes)
        inputs = campaign.exposed_inputs(AlIterationWorkChain)
        inputs.shards = {'shard_000': DatasetData(make_labelled(2)).store()}
        inputs.n_trajectories = orm.Int(4)
        inputs.train.worker.settings = campaign.inputs.training.retrain
        inputs.cycle.update(
            iteration=orm.Int(1),
            seed=campaign.inputs.seed,
            campaign=campaign.inputs.campaign,
            ensemble=EnsembleData(make_ensemble()).store(),
            thresholds=orm.Dict({'energy_ev_per_sqrt_atom': 0.1}),
        )
        return instantiate_process(local_runner, AlIterationWorkChain, **inputs)

    return make


@pytest.fixture
def campaign(make_campaign) -> Any:
    """A campaign."""
    return make_campaign()


@pytest.fixture
def iteration(make_iteration) -> Any:
    """An iteration of it."""
    return make_iteration()


@pytest.fixture
def cycle(local_runner, iteration) -> Any:
    """A cycle of it."""
    inputs = iteration.exposed_inputs(CycleWorkChain, 'cycle')
    inputs.number = orm.Int(2)
    return instantiate_process(local_runner, CycleWorkChain, **inputs)


@pytest.fixture
def shard(make_labelled) -> DatasetData:
    """A shard of three labels."""
    return DatasetData(make_labelled(3, iteration=1, origin='active_learning'))


def with_cycles(iteration: Any, *nodes: Any) -> Any:
    """Return the iteration after the end of its cycles."""
    iteration.ctx.cycles = [f'cycle_{index:02d}' for index in range(len(nodes))]
    for name, node in zip(iteration.ctx.cycles, nodes, strict=True):
        iteration.ctx[name] = node
    return iteration


def outputs(process: Any) -> Any:
    """Return the outputs that a process has attached so far."""
    return process.outputs


def test_a_failed_cycle_costs_its_own_labels_only(iteration, fake_chain, shard):
    good = fake_chain('CycleWorkChain', outputs={'table': orm.Dict(ROWS), 'dataset': shard, 'rejected': orm.Dict({})})
    bad = fake_chain('CycleWorkChain', exit_status=401, exit_message='The dynamics failed.')
    assert with_cycles(iteration, good, bad).inspect_cycles() is None
    assert list(iteration.ctx.shards) == ['cycle_00']
    assert outputs(iteration)['summary']['n_labels'] == 3
    assert outputs(iteration)['summary']['n_trajectories'] == 1
    assert iteration.should_run_training()


def test_a_cycle_that_failed_after_its_labels_still_gives_them(iteration, fake_chain, shard):
    given = {'table': orm.Dict(ROWS), 'dataset': shard, 'rejected': orm.Dict({'a': 'unphysical'})}
    bad = fake_chain('CycleWorkChain', exit_status=402, outputs=given)
    good = fake_chain('CycleWorkChain', outputs={'table': orm.Dict(ROWS)})
    assert with_cycles(iteration, bad, good).inspect_cycles() is None
    assert list(iteration.ctx.shards) == ['cycle_00']
    assert outputs(iteration)['summary']['n_rejected'] == 1


def test_when_every_cycle_failed_the_iteration_fails_with_the_reason_and_keeps_the_paid_labels(
    iteration, fake_chain, shard
):
    given = {'table': orm.Dict(ROWS), 'dataset': shard, 'rejected': orm.Dict({'a': 'unphysical'})}
    nodes = (
        fake_chain('CycleWorkChain', exit_status=402, exit_message='Too many failed.', outputs=given),
        fake_chain('CycleWorkChain', state=ProcessState.KILLED),
    )
    code = with_cycles(iteration, *nodes).inspect_cycles()
    assert code.status == 401
    assert 'was killed' in code.message
    assert outputs(iteration)['shards']['cycle_00'].n_configurations == 3


def test_an_iteration_without_labels_does_not_train(iteration, fake_chain):
    nodes = [fake_chain('CycleWorkChain', outputs={'table': orm.Dict(ROWS)}) for _ in range(2)]
    assert with_cycles(iteration, *nodes).inspect_cycles() is None
    assert not iteration.should_run_training()
    iteration.set_thresholds()
    assert 'thresholds' in outputs(iteration)


@pytest.mark.parametrize(('key', 'status'), [('validation', 402), ('training', 403)])
def test_a_failed_validation_or_training_is_an_exit_code_with_its_reason(iteration, fake_chain, key, status):
    iteration.ctx[key] = fake_chain('X', exit_status=410, exit_message='The worker stopped: no memory.')
    code = iteration.inspect_training()
    assert code.status == status
    assert 'no memory' in code.message


def test_an_ensemble_is_kept_although_the_validation_beside_it_failed(iteration, fake_chain, make_ensemble):
    """The training is paid for, whatever became of the errors of the old ensemble."""
    given = {'ensemble': EnsembleData(make_ensemble()), 'summary': orm.Dict({})}
    iteration.ctx.validation = fake_chain('ValidateCalculation', exit_status=410)
    iteration.ctx.training = fake_chain('TrainWorkChain', outputs=given)
    assert iteration.inspect_training().status == 402
    assert outputs(iteration)['ensemble'].uuid == given['ensemble'].uuid


def test_a_failed_sampling_is_an_exit_code_with_its_reason(cycle, fake_chain):
    cycle.ctx.sampling = fake_chain('SampleWorkChain', exit_status=410, exit_message='The worker stopped: NaN.')
    code = cycle.inspect_sampling()
    assert (code.status, 'NaN' in code.message) == (401, True)


def test_a_labelling_with_too_many_failures_gives_its_labels_before_it_fails_the_cycle(cycle, fake_chain, shard):
    given = {'dataset': shard, 'rejected': orm.Dict({'a': 'unphysical'})}
    cycle.ctx.labelling = fake_chain('LabelWorkChain', exit_status=410, exit_message='7 of 10.', outputs=given)
    code = cycle.inspect_labels()
    assert (code.status, '7 of 10' in code.message) == (402, True)
    assert outputs(cycle)['dataset'].n_configurations == 3
    assert outputs(cycle)['rejected'].get_dict() == {'a': 'unphysical'}


@pytest.mark.parametrize(
    ('fraction', 'expected'), [(0.0, [0]), (1.0, [0, 1, 2, 3, 4]), (0.5, [0, 2, 4]), (0.25, [0, 4])]
)
def test_ends_of_unstopped_trajectories_are_labelled_evenly(cycle, make_cells, fraction, expected):
    trajectories = {}
    for index in range(5):
        node = orm.TrajectoryData()
        positions, lattice = make_cells(1, seed=index).one(0)
        node.set_trajectory(symbols=['Al'] * 4, positions=positions[None], cells=lattice[None], pbc=(True, True, True))
        reason = 'close_contact' if index == 0 else 'completed'
        node.base.attributes.set_many({'candidate_frame': 0, 'stop_reason': reason})
        trajectories[f'cell_{index:04d}'] = node.store()

    cycle.inputs.campaign = orm.Dict({**cycle.inputs.campaign.get_dict(), 'label_completed_fraction': fraction})
    cycle.ctx.trajectories, cycle.ctx.candidates = trajectories, {}
    cycle.extract_candidates()
    assert sorted(cycle.ctx.candidates) == [f'cell_{index:04d}' for index in expected]
    assert cycle.should_run_labels()


def test_initial_labels_that_fail_end_the_campaign_with_the_reason_and_are_kept(campaign, fake_chain, shard):
    given = {'dataset': shard, 'rejected': orm.Dict({'a': 'x'})}
    campaign.ctx.labelling = fake_chain('LabelWorkChain', exit_status=410, exit_message='5 of 8 failed.', outputs=given)
    code = campaign.inspect_initial_labels()
    assert (code.status, '5 of 8 failed' in code.message) == (401, True)
    assert outputs(campaign)['shards']['shard_000'].n_configurations == 3


def test_a_failed_iteration_ends_the_campaign_with_its_number_and_reason_and_keeps_its_labels(
    campaign, fake_chain, shard, make_ensemble, make_labelled
):
    campaign.ctx.iteration = 2
    campaign.ctx.shards = {'shard_000': DatasetData(make_labelled(2)).store()}
    campaign.ctx.ensemble = EnsembleData(make_ensemble()).store()
    campaign.ctx.training_summary = orm.Dict({'test': None}).store()
    campaign.ctx.current = fake_chain(
        'AlIterationWorkChain', exit_status=403, exit_message='No memory.', outputs={'shards__cycle_01': shard}
    )
    code = campaign.inspect_iteration()
    assert code.status == 403
    assert code.message.startswith('Iteration 2 failed: ')
    assert 'No memory' in code.message
    assert sorted(outputs(campaign)['shards']) == ['shard_000', 'shard_002_cycle_01']
    assert outputs(campaign)['summary']['n_labels'] == 5


def test_a_failed_training_ends_the_campaign_with_its_reason(campaign, fake_chain):
    campaign.ctx.current = fake_chain('TrainWorkChain', exit_status=510, exit_message='It diverged.')
    code = campaign.inspect_initial_training()
    assert (code.status, 'It diverged' in code.message) == (402, True)


def test_used_up_iterations_are_a_failure_only_if_the_campaign_says_so(campaign, make_ensemble, shard):
    campaign.ctx.shards = {'shard_000': shard.store()}
    campaign.ctx.ensemble = EnsembleData(make_ensemble()).store()
    campaign.ctx.training_summary = orm.Dict({'test': None}).store()
    campaign.ctx.iteration = 2
    assert not campaign.should_run_iteration()
    assert campaign.results() is None
    strict = {**campaign.inputs.campaign.get_dict(), 'max_iterations_is_failure': True}
    campaign.inputs.campaign = orm.Dict(strict)
    assert campaign.results().status == 600


@pytest.mark.parametrize('process', [ActiveLearningWorkChain, AlIterationWorkChain, CycleWorkChain, LabelWorkChain])
def test_every_run_step_has_its_inspect_step(process):
    steps = {name for name in vars(process) if name.startswith('run_')}
    inspected = {name.replace('run_', 'inspect_') for name in steps}
    # Its children end one by one; the loop itself looks at them.
    missing = inspected - set(dir(process)) - {'inspect_calculations'}
    assert steps
    assert missing == set()


@pytest.mark.parametrize(('total', 'parts', 'expected'), [(7, 3, [3, 2, 2]), (4, 2, [2, 2]), (1, 2, [1, 0])])
def test_shares_differ_by_one_at_most_and_add_up(total, parts, expected):
    from aiida_anial.workchains.iteration import _share

    assert [_share(total, parts, index) for index in range(parts)] == expected
