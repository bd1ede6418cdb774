"""The selection of the steps of a campaign to run again."""

from __future__ import annotations

import pytest

from aiida_anial.reproduction.reproduce import select
from aiida_anial.reproduction.steps import StepKind, kind_of, seconds_of, steps_under


@pytest.fixture(scope='module')
def all_steps(campaigns):
    return list(steps_under(campaigns['main']))


def test_every_process_under_a_campaign_is_a_step_or_belongs_to_one(campaigns, all_steps):
    inside = {step.uuid for step in all_steps} | {job.uuid for step in all_steps for job in step.called_descendants}
    others = [node for node in campaigns['main'].called_descendants if node.uuid not in inside]
    assert {kind_of(node) for node in others} == {StepKind.ORCHESTRATION}
    assert len({step.uuid for step in all_steps}) == len(all_steps) > 20
    assert {kind_of(step) for step in all_steps} == {
        StepKind.FUNCTION,
        StepKind.EVALUATION,
        StepKind.DYNAMICS,
        StepKind.TRAINING,
    }


def test_without_a_budget_all_run(all_steps):
    selection = select(all_steps)
    assert {step.uuid for step in selection.chosen} == {step.uuid for step in all_steps}
    assert selection.left_out == ()


def test_a_budget_is_kept_and_first_spent_on_one_of_every_process(all_steps):
    first = {}
    for step in all_steps:
        first.setdefault(step.process_label, step)
    one_of_each = sum(map(seconds_of, first.values()))
    selection = select(all_steps, budget_s=one_of_each + 1e-6)
    assert sum(map(seconds_of, selection.chosen)) <= one_of_each + 1e-6
    assert {step.uuid for step in first.values()} == {step.uuid for step in selection.chosen}
    assert len(selection.chosen) + len(selection.left_out) == len(all_steps)


def test_without_time_nothing_runs(all_steps):
    assert select(all_steps, budget_s=0.0).chosen == ()


def test_only_steps_of_the_given_kinds_run(all_steps):
    selection = select(all_steps, kinds=(StepKind.TRAINING, StepKind.EVALUATION))
    assert {step.process_label for step in selection.chosen} == {
        'TrainWorkChain',
        'EvaluateCalculation',
        'ValidateCalculation',
    }


def test_failed_steps_are_left_out_with_their_reason(all_steps, copy_of):
    job = next(step for step in all_steps if step.process_label == 'EvaluateCalculation')
    selection = select([job, copy_of(job, exit_status=410, exit_message='No.'), copy_of(job, sealed=False)])
    assert selection.chosen == (job,)
    reasons = [reason for _, reason in selection.left_out]
    assert 'did not succeed (exit status 410: No)' in reasons[0]
    assert 'has not ended' in reasons[1]


def test_the_time_of_a_cached_step_is_that_of_its_source(all_steps, copy_of):
    job = next(step for step in all_steps if step.process_label == 'EvaluateCalculation')
    copy = copy_of(job)
    assert seconds_of(job) > 0.2
    copy.base.extras.set('_aiida_cached_from', job.uuid)
    assert seconds_of(copy) == seconds_of(job)


def test_a_work_chain_takes_as_long_as_its_jobs(all_steps):
    chain = next(step for step in all_steps if step.process_label == 'TrainWorkChain')
    assert seconds_of(chain) == sum(seconds_of(job) for job in chain.called) > 1
