"""Which results remain valid under other settings, and when nothing is left to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.settle import settle
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs

LABELS = {'parameters': {'cell_0001': 'parameters'}, 'failures': 'failures'}


@pytest.fixture(scope='module')
def old():
    """Settings of three iterations without a final training."""
    return campaign_inputs('demo', {'training': {'final': None}})


def ended(*, n_done=3, **changes):
    """Return the progress of a campaign that has finished all its iterations."""
    summary = {'converged': False, 'n_labels': 4}
    done = {
        'shards': {'shard_000': 'shard'},
        'training': {'ensemble': 'ensemble', 'summary': 'summary'},
        'thresholds': 'thresholds',
        'iteration': SimpleNamespace(value=n_done),
        'summaries': {f'iteration_{index:03d}': dict(summary) for index in range(1, n_done + 1)},
    }
    return {**done, **changes}


def remaining(done, old, new=None, *, joined=False, is_finished=True):
    """Return the part of ``done`` that is still valid."""
    campaign = SimpleNamespace(pk=7, is_finished=is_finished)
    settle(campaign, done, old=old, new=new or old, joined=joined)
    return done


def test_a_campaign_that_used_up_its_iterations_has_nothing_left_to_do(aiida_profile, old):
    with pytest.raises(AnialError, match=r'has used up its iterations.*raise campaign.max_iterations above 3'):
        remaining(ended(), old)


def test_a_campaign_killed_before_its_results_has_something_left_to_do(aiida_profile, old):
    assert remaining(ended(), old, is_finished=False) == ended()


@pytest.mark.parametrize(
    ('last', 'verdict'),
    [({'converged': True, 'n_labels': 4}, 'converged'), ({'converged': False, 'n_labels': 0}, 'nothing to label')],
)
def test_a_verdict_is_kept_unless_a_setting_changes_on_which_it_depends(aiida_profile, old, last, verdict):
    def done():
        found = ended(n_done=2)
        found['summaries']['iteration_002'] = last
        return found

    for change in ({}, {'campaign': {'max_iterations': 9}}, {'training': {'job': {'max_wallclock_seconds': 99}}}):
        with pytest.raises(AnialError, match=f"ended with the verdict '{verdict}'"):
            remaining(done(), old, changed_inputs(old, change))
    assert remaining(done(), old, is_finished=False)['verdict'].value == verdict
    for change in ({'thresholds': {'gain': 0.1}}, {'schedules': {'t_max_ps': 2.0}}, {'seed': 5}):
        assert 'verdict' not in remaining(done(), old, changed_inputs(old, change))


def test_added_labels_require_a_training_that_starts_from_the_weights(aiida_profile, old):
    following = {'cycles': {}, 'fresh_errors': 'errors', 'training': {'ensemble': 'retrained'}}
    done = remaining(ended(next=following, final={'ensemble': 'final'}), old, joined=True)
    assert done['training'] == {'ensemble': 'ensemble'}
    assert done['next'] == {'cycles': {}}
    assert 'final' not in done


def test_another_model_starts_from_nothing(aiida_profile, old):
    done = remaining(ended(), old, changed_inputs(old, {'model': {'n_members': 3}}))
    assert 'training' not in done
    assert done['shards'] == {'shard_000': 'shard'}


def test_with_other_cells_the_labelled_ones_are_kept(aiida_profile, old):
    def done():
        return {'cells': {'cell_0000': 'a', 'cell_0001': 'b'}, 'label': dict(LABELS)}

    assert remaining(done(), old) == done()
    for change in ({'seed': 5}, {'campaign': {'n_initial_cells': 4}}):
        assert remaining(done(), old, changed_inputs(old, change))['cells'] == {'cell_0001': 'b'}


def test_failed_cells_are_labelled_again_by_another_labeller(aiida_profile, old):
    def done():
        return {'label': dict(LABELS), 'next': {'cycles': {'cycle_00': {'label': dict(LABELS)}}}}

    assert remaining(done(), old) == done()
    found = remaining(done(), old, changed_inputs(old, {'label': {'qe': {'degauss_ry': 0.03}}}))
    assert 'failures' not in found['label']
    assert 'failures' not in found['next']['cycles']['cycle_00']['label']


def final(old, max_steps):
    """Return settings with a final training."""
    return changed_inputs(old, {'training': {'final': {'max_steps': max_steps}}})


def trained(settings):
    """Return a final training with these settings."""
    inputs = SimpleNamespace(settings=orm.Dict(settings.training.final.to_dict()))
    return {'ensemble': SimpleNamespace(creator=SimpleNamespace(inputs=inputs)), 'summary': 'summary'}


def test_a_final_training_is_run_once(aiida_profile, old):
    new = final(old, 50)
    with pytest.raises(AnialError, match='nothing left to do'):
        remaining(ended(final=trained(new)), new)
    assert 'final' in remaining(ended(final=trained(new)), new, is_finished=False)
    assert 'final' not in remaining(ended(), new)
    assert 'final' not in remaining(ended(final=trained(new)), new, final(old, 60))
    assert remaining(ended(final={'checkpoint': 'half'}), new)['final'] == {'checkpoint': 'half'}
    further = changed_inputs(new, {'campaign': {'max_iterations': 4}})
    assert 'final' not in remaining(ended(final=trained(new)), new, further)
