"""A campaign that is cut off repeatedly ends in the bits of an uninterrupted one, and pays for nothing twice."""

from __future__ import annotations

import stat
import sys
from collections import Counter
from typing import Any

import pytest
from aiida import orm
from aiida.manage.caching import enable_caching
from plumpy.workchains import _FunctionStepper

from aiida_anial.common.labels import content_hash
from aiida_anial.continuation.plan import inputs_of, nodes_of, plan
from aiida_anial.data.structures import to_cells
from aiida_anial.potential.potential import potential_bytes
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.workchains.iteration import AlIterationWorkChain

pytestmark = pytest.mark.slow

# Long enough to be interrupted on the way.
TRAINING = {'max_steps': 400, 'batch_size': 8, 'evaluation_interval': 10}

SETTINGS: dict[str, Any] = {
    'campaign': {'n_initial_cells': 6, 'max_iterations': 1},
    'training': {'initial': TRAINING, 'retrain': TRAINING, 'final': TRAINING},
}

PAID = ('EvaluateCalculation', 'SampleCalculation', 'TrainEnsembleCalculation', 'ValidateCalculation')

# The line of a training's output after which it is interrupted, as by a scheduler; and dynamics that have no time.
TRAINING_STEP = 'step 20 of'
HASTE = 'no time'

N_INTERRUPTED = {None: 0, TRAINING_STEP: 1, HASTE: 2}

# Runs the worker, and leaves dynamics half a second, which is over before their first step.
HASTY_WORKER = """#!{python}
import json, os, pathlib, sys
if sys.argv[1] == 'sample':
    path = pathlib.Path('input.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | {{'max_wallclock_seconds': 1}}))
os.execv({worker!r}, [{worker!r}, *sys.argv[1:]])
"""

# The step before which a campaign dies, in which of several work chains, and what interrupts its jobs.
CUTS: dict[str, tuple[str, str, str, str | None]] = {
    'initial labels done, not collected': ('LabelWorkChain', 'collect', '', None),
    'before the first training': ('ActiveLearningWorkChain', 'run_initial_training', '', None),
    'in the first training': ('TrainWorkChain', 'run_process again', '', TRAINING_STEP),
    'first training done, not noted': ('ActiveLearningWorkChain', 'inspect_initial_training', '', None),
    'before the iteration': ('ActiveLearningWorkChain', 'run_iteration', '', None),
    'in the dynamics': ('SampleWorkChain', 'run_process again', '', HASTE),
    'dynamics done, not noted': ('CycleWorkChain', 'take_over', '', None),
    'candidates of one cycle labelled': ('CycleWorkChain', 'run_labels', 'cycle 1', None),
    'candidates labelled, not collected': ('LabelWorkChain', 'collect', 'cycle 1', None),
    'before the retraining': ('AlIterationWorkChain', 'run_training', '', None),
    'in the retraining': ('TrainWorkChain', 'run_process again', 'iteration 1', TRAINING_STEP),
    'retraining done, not noted': ('AlIterationWorkChain', 'inspect_training', '', None),
    'before the last training': ('ActiveLearningWorkChain', 'run_final_training', '', None),
    'last training done, not noted': ('ActiveLearningWorkChain', 'results', '', None),
}

# All of them would take minutes more.
FEW = (
    'initial labels done, not collected',
    'before the first training',
    'in the first training',
    'candidates of one cycle labelled',
    'retraining done, not noted',
)


def ancestry(node: Any) -> list[str]:
    """Return the labels of a process and of all that called it."""
    labels = []
    while node is not None:
        labels.append(node.label)
        node = node.caller
    return labels


@pytest.fixture(scope='module')
def cutting():
    """Let campaigns die before the step that their label names in ``CUTS``."""
    step = _FunctionStepper.step

    dead = set()

    def die_or_step(self: Any) -> Any:
        chain, name = self._workchain, self._fn.__name__
        if name == 'run_process' and chain.ctx.iteration > 0:
            name = 'run_process again'
        labels = ancestry(chain.node)
        kind, cut, where, _ = CUTS.get(labels[-1], ('', '', '', None))
        cut_here = (type(chain).__name__, name) == (kind, cut) and (not where or where in labels)
        # A single cycle costs its own labels only; let what is above it die with it.
        if cut_here or (labels[-1] in dead and isinstance(chain, AlIterationWorkChain)):
            dead.add(labels[-1])
            raise RuntimeError('cut off')
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_FunctionStepper, 'step', die_or_step)
        yield


@pytest.fixture(scope='module')
def settings(campaign_overrides):
    """The settings of all campaigns."""
    return campaign_inputs('demo', campaign_overrides(**SETTINGS))


@pytest.fixture(scope='module')
def build(worker_code):
    """Return a function that makes the builder of a campaign."""

    def make(inputs, label, code=None, continued=None):
        builder: Any = campaign_builder(inputs, worker_code=code or worker_code)
        builder.metadata.label = label
        if continued is not None:
            builder.continued = continued
        return builder

    return make


@pytest.fixture(scope='module')
def continue_from(build, worker_code):
    """Return a function that makes the builder of a campaign that continues others."""

    def make(*campaigns, label='continued', code=None, **changes):
        inputs = changed_inputs(inputs_of(campaigns[0]), changes)
        nodes = nodes_of(campaigns[0])
        past = plan(campaigns, (), inputs=inputs, nodes=nodes)
        return build(inputs, label, code, continued=past.namespace())

    return make


@pytest.fixture(scope='module')
def whole(run_all, build, settings):
    """A campaign that was never cut off."""
    return run_all(build(settings, 'whole'))[0]


@pytest.fixture(scope='module')
def codes(tmp_path_factory, worker_code, computer, interrupting_worker):
    """Codes whose jobs are interrupted, by what interrupts them."""
    script = tmp_path_factory.mktemp('codes') / 'hasty'
    script.write_text(HASTY_WORKER.format(python=sys.executable, worker=str(worker_code.filepath_executable)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    hasty = orm.InstalledCode(
        label='hasty',
        computer=computer,
        filepath_executable=str(script),
        default_calc_job_plugin='anial.train',
        with_mpi=False,
    ).store()
    return {None: None, TRAINING_STEP: interrupting_worker('interrupted', TRAINING_STEP), HASTE: hasty}


@pytest.fixture(scope='module', params=['few', pytest.param('all', marks=pytest.mark.faults)])
def cuts(request):
    """The names of the cuts."""
    return FEW if request.param == 'few' else tuple(CUTS)


@pytest.fixture(scope='module')
def deaths(run_all, build, continue_from, cutting, settings, whole, codes, cuts):
    """Campaigns that died, each a continuation of the one before, by the name of the cut.

    Jobs with the inputs of those of the whole campaign are clones of them, which takes no time.
    """
    found: dict[str, Any] = {}
    last = None
    for name in cuts:
        code = codes[CUTS[name][3]]
        builder = build(settings, name, code) if last is None else continue_from(last, label=name, code=code)
        with enable_caching():
            (last,) = run_all(builder)
        assert not last.is_finished_ok, f'{name}: is there such a step? The campaign was not cut off.'
        found[name] = last
    return found


@pytest.fixture(scope='module')
def continued(run_all, continue_from, deaths):
    """The campaign that continued the last of them to the end."""
    with enable_caching():
        return run_all(continue_from(list(deaths.values())[-1]))[0]


def calculations(*campaigns: Any) -> list[Any]:
    """Return the jobs of campaigns."""
    found = [node for campaign in campaigns for node in campaign.called_descendants]
    return [node for node in found if node.process_label in PAID]


def contents(campaign: Any) -> dict[str, str]:
    """Return the content of the shards of a campaign by name."""
    return {name: shard.base.attributes.get('content_checksum') for name, shard in campaign.outputs.shards.items()}


def test_the_whole_campaign_is_one(whole):
    assert whole.is_finished_ok
    assert Counter(job.process_label for job in calculations(whole)) == {
        'EvaluateCalculation': 3,
        'SampleCalculation': 2,
        'TrainEnsembleCalculation': 3,
        'ValidateCalculation': 1,
    }


def test_each_was_cut_off(deaths):
    for name, campaign in deaths.items():
        assert campaign.is_terminated, name
        died = [node for node in (campaign, *campaign.called_descendants) if node.is_excepted]
        assert CUTS[name][0] in {node.process_label for node in died}, name
        assert all('cut off' in node.exception for node in died), name


def test_the_results_have_the_bits_of_the_whole(whole, continued):
    assert continued.is_finished_ok, continued.exit_message
    assert contents(continued) == contents(whole)
    assert potential_bytes(continued.outputs.ensemble.ensemble) == potential_bytes(whole.outputs.ensemble.ensemble)
    assert continued.outputs.summary.get_dict() == whole.outputs.summary.get_dict()


def test_nothing_is_paid_twice(whole, deaths, continued):
    """Together they have the finished jobs of the whole, and the interrupted ones."""
    jobs = calculations(*deaths.values(), continued)
    paid = Counter(job.process_label for job in jobs if job.is_finished_ok)
    assert paid == Counter(job.process_label for job in calculations(whole))
    others = [job for job in jobs if not job.is_finished_ok]
    assert [job.exit_status for job in others] == [400] * sum(N_INTERRUPTED[CUTS[name][3]] for name in deaths)
    used = [job.inputs.parent_folder.uuid for job in jobs if 'parent_folder' in job.inputs]
    assert sorted(used) == sorted(job.outputs.retrieved.uuid for job in others)


def test_labels_of_an_unfinished_labelling_are_added_unless_they_are_known(whole, deaths, campaigns):
    half = deaths['initial labels done, not collected']
    other = campaigns['main']
    past = plan([other, half], (), inputs=inputs_of(other), nodes=nodes_of(other))
    assert '6 labels of unfinished labellings' in past.lines()[1]
    shard = past.namespace()['shards']['other_1_shard_000']
    assert shard.base.attributes.get('content_checksum') == contents(whole)['shard_000']
    # The second campaign has taken them over; those of the whole one have the same content.
    for main in (deaths['before the first training'], whole):
        joined = plan([main, half], (), inputs=inputs_of(half), nodes=nodes_of(half))
        assert not [name for name in joined.namespace()['shards'] if name.startswith('other')]


def test_no_cell_is_labelled_twice(deaths, continued):
    jobs = [job for job in calculations(*deaths.values(), continued) if job.process_label == 'EvaluateCalculation']
    hashes = [content_hash(*cell) for job in jobs for cell in to_cells(dict(job.inputs.cells)).configurations()]
    assert len(hashes) == len(set(hashes)) == continued.outputs.summary['n_labels']


def test_what_is_taken_over_is_linked_as_an_input(deaths, continued):
    """Links lead from the last campaign to jobs of the first."""
    given = continued.base.links.get_incoming().all_nodes()
    creators = {node.creator.uuid for node in given if isinstance(node, orm.Data) and node.creator is not None}
    second = list(deaths.values())[1]
    assert creators & {process.uuid for process in second.called_descendants}


FIXED = {'mode': 'fixed', 'energy_ev_per_sqrt_atom': 1e-6}


@pytest.fixture(scope='module')
def further(run_all, continue_from, campaigns, worker_code, campaign_overrides):
    """Campaigns that continue ended ones with other settings, with more labels, or for longer, by name."""
    main, again = campaigns['main'], campaigns['again']
    builders = {
        'merged': continue_from(again, main, campaign={'max_iterations': 1}),
        'thresholds': continue_from(again, campaign={'max_iterations': 2}, thresholds=FIXED),
        'more': continue_from(main, campaign={'max_iterations': 3}),
    }
    nodes = run_all(*builders.values())
    short = {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10}
    overrides = campaign_overrides(training={'final': short}, campaign={'max_iterations': 3})
    fresh = campaign_builder(campaign_inputs('demo', overrides), worker_code=worker_code)
    with enable_caching():
        return {**dict(zip(builders, nodes, strict=True)), 'three': run_all(fresh)[0]}


def test_the_labels_of_several_campaigns_are_joined_each_once_and_trained_on(campaigns, further):
    merged, main, again = further['merged'], campaigns['main'], campaigns['again']
    assert merged.is_finished_ok, merged.exit_message
    fresh = {f'other_1_{name}': shard for name, shard in main.outputs.shards.items() if name != 'shard_000'}
    # Both have drawn the same initial cells.
    expected = {'shard_000': again.outputs.shards.shard_000, **fresh}
    assert {name: shard.uuid for name, shard in merged.outputs.shards.items()} == {
        name: shard.uuid for name, shard in expected.items()
    }
    (job,) = calculations(merged)
    assert job.inputs.initial.uuid == again.outputs.ensemble.uuid
    assert {shard.uuid for shard in job.inputs.shards.values()} == {shard.uuid for shard in expected.values()}
    assert job.inputs.settings.get_dict() == merged.inputs.training.retrain.get_dict()


def test_other_thresholds_hold_from_the_next_iteration_on(campaigns, further):
    node = further['thresholds']
    assert node.is_finished_ok, node.exit_message
    (iteration,) = [child for child in node.called if child.process_label == 'AlIterationWorkChain']
    assert iteration.inputs.cycle.iteration.value == 2
    assert iteration.inputs.cycle.thresholds['energy_ev_per_sqrt_atom'] == 1e-6
    assert iteration.inputs.cycle.ensemble.uuid == campaigns['again'].outputs.ensemble.uuid
    summary = iteration.outputs.summary.get_dict()
    assert summary['n_stopped'] == summary['n_trajectories'] == 4
    assert not [job for job in calculations(node) if 'initial_labels' in ancestry(job)]


def test_more_iterations_are_those_of_a_campaign_with_as_many_from_the_start(campaigns, further):
    more, three = further['more'], further['three']
    assert more.is_finished_ok, more.exit_message
    assert contents(more) == contents(three)
    assert more.outputs.summary.get_dict() == three.outputs.summary.get_dict()
    assert potential_bytes(more.outputs.ensemble.ensemble) == potential_bytes(three.outputs.ensemble.ensemble)
    assert Counter(job.process_label for job in calculations(more)) == {
        'EvaluateCalculation': 2,
        'SampleCalculation': 2,
        'TrainEnsembleCalculation': 2,
        'ValidateCalculation': 1,
    }


def test_the_status_of_a_continued_campaign_counts_what_it_took_over(campaigns, further):
    status = campaign_status(further['more'])
    before = sum(shard.n_configurations for shard in campaigns['main'].outputs.shards.values())
    assert status['n_labels_taken_over'] == before
    assert [row['index'] for row in status['iterations']] == [0, 3]
    assert status['iterations'][0]['process_state'] == 'taken over'
    assert status['n_labels'] == further['more'].outputs.summary['n_labels']
