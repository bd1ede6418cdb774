"""An interrupted job continues from its checkpoint and ends as if it had not been interrupted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import potential_bytes
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.workchains.checkpointed import SampleWorkChain, TrainWorkChain

pytestmark = pytest.mark.slow

T_MAX_PS = (0.02, 0.1, 0.18)


@pytest.fixture(scope='module')
def chains(run_all, interrupting_worker, worker, make_labelled, make_structures, make_ensemble, tiny_model):
    """Trainings and samplings, uninterrupted, interrupted, and without the time for a single step, by name."""
    schedules = [Schedule(t_start_k=300, t_end_k=600, t_mod_k=100, t_0_ps=0.3, t_max_ps=t).to_dict() for t in T_MAX_PS]
    train = {
        **worker,
        'shards': {'shard_000': DatasetData(make_labelled(24)).store()},
        'model': orm.Dict(tiny_model),
        'settings': orm.Dict({'max_steps': 120, 'evaluation_interval': 10, 'batch_size': 8}),
        'seed': orm.Int(4),
    }
    sample = {
        **worker,
        'cells': make_structures(3),
        'ensemble': EnsembleData(make_ensemble()).store(),
        'schedules': orm.List(schedules),
        'settings': orm.Dict({'frame_interval': 10, 'min_time_ps': 0.01}),
        'thresholds': orm.Dict({'energy_ev_per_sqrt_atom': 1e6}),
        'seed': orm.Int(5),
    }
    hasty = {'metadata': {'options': {**worker['metadata']['options'], 'max_wallclock_seconds': 1}}}
    given = {
        'train': (TrainWorkChain, train),
        'train interrupted': (
            TrainWorkChain,
            train | {'code': interrupting_worker('train-code', 'step 20 of', 'step 70 of')},
        ),
        'train hasty': (TrainWorkChain, train | hasty),
        'sample': (SampleWorkChain, sample),
        'sample interrupted': (SampleWorkChain, sample | {'code': interrupting_worker('sample-code', 'ended at')}),
        'train broken': (TrainWorkChain, train | {'settings': orm.Dict({'force_weight': 1e300, 'max_restarts': 0})}),
    }
    builders = []
    for process, inputs in given.values():
        builder = process.get_builder()
        builder.worker = inputs
        builders.append(builder)
    return dict(zip(given, run_all(*builders), strict=True))


def test_an_interrupted_training_is_a_chain_of_jobs_each_from_the_checkpoint_before(chains, jobs_under):
    jobs = jobs_under(chains['train interrupted'])
    assert len(jobs) >= 2
    assert [job.exit_status for job in jobs] == [400] * (len(jobs) - 1) + [0]
    assert 'parent_folder' not in jobs[0].inputs
    for earlier, later in pairwise(jobs):
        assert later.inputs.parent_folder.uuid == earlier.outputs.retrieved.uuid


def test_an_interrupted_training_ends_in_the_bits_of_an_uninterrupted_one(chains):
    whole, broken = chains['train'], chains['train interrupted']
    assert whole.is_finished_ok
    assert broken.is_finished_ok
    assert potential_bytes(whole.outputs.ensemble.ensemble) == potential_bytes(broken.outputs.ensemble.ensemble)
    assert whole.outputs.summary.get_dict() == broken.outputs.summary.get_dict()
    for name in ('learning_curves', 'errors'):
        assert whole.outputs[name].base.caching.get_hash() == broken.outputs[name].base.caching.get_hash()


def test_an_interrupted_sampling_ends_in_the_bits_of_an_uninterrupted_one(chains, jobs_under):
    whole, broken = chains['sample'], chains['sample interrupted']
    assert len(jobs_under(whole)) == 1
    assert len(jobs_under(broken)) >= 2
    assert whole.outputs.table.get_dict() == broken.outputs.table.get_dict()
    assert [row['stop_time_ps'] for row in whole.outputs.table['trajectories']] == pytest.approx(T_MAX_PS)
    for name, trajectory in whole.outputs.trajectories.items():
        found = broken.outputs.trajectories[name].base.caching.get_hash()
        assert found == trajectory.base.caching.get_hash()


def test_the_outputs_are_those_of_the_last_job(chains, jobs_under):
    for name in ('train', 'train interrupted', 'sample interrupted'):
        chain, job = chains[name], jobs_under(chains[name])[-1]
        made = {node.uuid for node in job.base.links.get_outgoing(link_type=LinkType.CREATE).all_nodes()}
        returned = {node.uuid for node in chain.base.links.get_outgoing(link_type=LinkType.RETURN).all_nodes()}
        assert returned
        assert returned <= made


def test_the_work_directories_are_cleaned(chains, jobs_under):
    for chain in chains.values():
        if chain.is_finished_ok:
            assert all(job.outputs.remote_folder.is_cleaned for job in jobs_under(chain))


def test_the_report_names_the_interruption_and_what_followed(chains):
    reports = [log.message for log in orm.Log.collection.get_logs_for(chains['train interrupted'])]
    assert any('was interrupted; action taken: continue from its checkpoint' in line for line in reports)


def test_a_wall_clock_too_short_for_a_step_ends_after_a_second_try_and_says_so(chains, jobs_under):
    chain = chains['train hasty']
    jobs = jobs_under(chain)
    assert [job.exit_status for job in jobs] == [401, 401]
    assert 'before the first step' in str(jobs[-1].exit_message)
    assert not chain.is_finished_ok


def test_a_training_that_diverges_is_not_tried_again_and_keeps_its_reason(chains, jobs_under):
    chain = chains['train broken']
    assert len(jobs_under(chain)) == 1
    assert chain.exit_status == 510
    assert 'diverged' in str(chain.exit_message)
