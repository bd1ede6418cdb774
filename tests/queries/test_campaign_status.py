"""The status of a campaign as a dictionary."""

from __future__ import annotations

import json

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.tools import delete_nodes

from aiida_anial.common.errors import AnialError
from aiida_anial.queries.campaign_status import _labels, campaign_status, load_campaign
from aiida_anial.queries.rejections import reason_counts

KEYS = {
    'pk',
    'uuid',
    'process_state',
    'exit_status',
    'converged',
    'n_labels',
    'n_rejected',
    'iterations',
}
ITERATION_KEYS = {
    'index',
    'pk',
    'process_state',
    'n_trajectories',
    'n_stopped',
    'median_time_ps',
    'n_labels',
    'n_rejected',
    'fresh_energy_rmse_mev_per_atom',
    'fresh_force_rmse_ev_per_angstrom',
    'test_energy_rmse_mev_per_atom',
    'test_force_rmse_ev_per_angstrom',
}


@pytest.mark.parametrize('name', ['main', 'again', 'failed'])
def test_the_status_has_every_key_and_is_json(campaigns, name):
    status = campaign_status(campaigns[name])
    assert status.keys() >= KEYS
    assert all(row.keys() >= ITERATION_KEYS for row in status['iterations'])
    assert json.loads(json.dumps(status, allow_nan=False)) == status


def test_a_finished_campaign_adds_up(campaigns):
    campaign = campaigns['main']
    status = campaign_status(campaign)
    assert (status['pk'], status['uuid']) == (campaign.pk, campaign.uuid)
    assert (status['process_state'], status['exit_status'], status['converged']) == ('finished', 0, False)
    rows = status['iterations']
    assert [row['index'] for row in rows] == [0, 1, 2]
    assert status['n_labels'] == sum(row['n_labels'] for row in rows)
    assert status['n_labels'] == sum(shard.n_configurations for shard in campaign.outputs.shards.values())
    assert rows[0]['n_labels'] + rows[0]['n_rejected'] == 12
    for row in rows[1:]:
        assert row['n_trajectories'] == row['n_labels'] + row['n_rejected'] == 4
        assert 0 < row['median_time_ps'] <= 0.09
        assert row['fresh_energy_rmse_mev_per_atom'] > 0
        assert row['fresh_force_rmse_ev_per_angstrom'] > 0


def test_the_newest_ensemble_is_the_last_one(campaigns):
    status = campaign_status(campaigns['main'])
    assert status['newest_ensemble'] == campaigns['main'].outputs.ensemble.pk
    assert status['pace']['running'] == {}
    assert (status['n_killed'], status['failures']) == (0, {})


def test_killed_jobs_are_told_from_rejected_labels(aiida_profile):
    rejected = {
        'cell_0': 'PwCalculation<7> was killed',
        'cell_1': 'PwCalculation<8> exit status 410: no convergence',
        'cell_2': 'PwCalculation<9> exit status 410: no convergence',
    }
    chain = orm.WorkChainNode(process_type='', label='x')
    chain.set_process_label('LabelWorkChain')
    chain.store()
    node = orm.Dict(rejected)
    node.store()
    node.base.links.add_incoming(chain, LinkType.RETURN, 'rejected')
    found = _labels([chain])
    delete_nodes([chain.pk, node.pk], dry_run=False)
    assert (found['n_labels'], found['n_rejected'], found['n_killed']) == (0, 2, 1)
    assert reason_counts(found['failures'])['PwCalculation<…> exit status 410: no convergence'] == 2


def test_the_rows_are_those_of_the_work_chains(campaigns):
    rows = campaign_status(campaigns['main'])['iterations']
    assert orm.load_node(rows[0]['pk']).process_label == 'LabelWorkChain'
    for row in rows[1:]:
        iteration = orm.load_node(row['pk'])
        assert iteration.process_label == 'AlIterationWorkChain'
        assert iteration.inputs.cycle.iteration.value == row['index']
        assert row['n_stopped'] == iteration.outputs.summary['n_stopped']
        test = iteration.outputs.training['test']
        assert row['test_energy_rmse_mev_per_atom'] == test['energy_rmse_mev_per_atom']
        assert row['test_force_rmse_ev_per_angstrom'] == test['force_rmse_ev_per_angstrom']
        fresh = iteration.outputs.fresh_errors
        assert row['fresh_energy_rmse_mev_per_atom'] == fresh['energy_rmse_mev_per_atom']


def test_a_campaign_that_converged_without_new_labels_says_so(campaigns):
    status = campaign_status(campaigns['again'])
    assert status['converged'] is True
    assert [row['n_labels'] for row in status['iterations']][1:] == [0]
    assert status['iterations'][1]['fresh_energy_rmse_mev_per_atom'] is None


def test_a_failed_campaign_says_why(campaigns):
    status = campaign_status(campaigns['failed'])
    assert status['exit_status'] == 401
    assert 'unphysical' in status['exit_message'] or '12 of 12' in status['exit_message']
    assert (status['converged'], status['n_labels'], status['n_rejected']) == (False, 0, 12)
    assert len(status['iterations']) == 1


def test_a_campaign_is_found_by_pk_and_uuid(campaigns):
    campaign = campaigns['main']
    for identifier in (str(campaign.pk), campaign.uuid, campaign.uuid[:13]):
        assert load_campaign(identifier).pk == campaign.pk


def test_another_node_is_not_a_campaign(campaigns):
    chain = campaign_status(campaigns['main'])['iterations'][0]['pk']
    with pytest.raises(AnialError, match=rf'node {chain} is a LabelWorkChain, not an ActiveLearningWorkChain'):
        load_campaign(str(chain))
    shard = campaigns['main'].outputs.shards.shard_000
    with pytest.raises(AnialError, match='is a DatasetData'):
        load_campaign(str(shard.pk))
