"""The settings of a campaign can be read back from its nodes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiida import orm

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs, protocols
from aiida_anial.protocols.reader import campaign_nodes, inferred_campaign_inputs, read_campaign_inputs

CUTOFFS = {'ecutwfc_ry': 16, 'ecutrho_ry': 64}

CHANGES: dict[str, dict[str, Any]] = {
    'nothing': {},
    'every job': {
        'training': {'job': {'max_wallclock_seconds': 111, 'num_cores_per_mpiproc': 3}},
        'sampling': {'job': {'queue_name': 'md', 'account': 'me', 'withmpi': True}},
        'label': {'qe': {'job': {'num_machines': 2, 'num_mpiprocs_per_machine': 8}}},
    },
    'lines for the scheduler': {
        'training': {'job': {'custom_scheduler_commands': ['#SBATCH --gres=gpu:1', '#SBATCH --exclusive']}},
        'sampling': {'job': {'qos': 'short', 'max_memory_kb': 2**21}},
    },
    'namelists': {'label': {'qe': {'parameters': {'ELECTRONS': {'mixing_beta': 0.4}, 'CONTROL': {'disk_io': 'low'}}}}},
    'smearing': {'label': {'qe': {'smearing': 'gaussian', 'degauss_ry': 0.01, 'conv_thr_ry': 1e-9}}},
    'no final training, cold start': {'training': {'final': None, 'warm_start': False}},
    'benchmark': {'benchmark': {'properties': 'quick', 'job': {'max_wallclock_seconds': 99}}},
    'whole benchmark': {'benchmark': {'properties': 'full'}},
    'seed and engine': {'seed': 2**40, 'engine': {'threads': 3, 'dtype': 'float64'}},
}


@pytest.fixture
def build(worker_code, pw_code, pseudo):
    """Return a function that makes the nested inputs of a campaign."""

    def make(inputs, **nodes):
        builder = campaign_builder(inputs, **{'worker_code': worker_code, 'pw_code': pw_code, 'pseudo': pseudo} | nodes)
        builder.metadata.description = inputs.description
        return builder._inputs(prune=True)

    return make


@pytest.mark.parametrize('change', CHANGES)
@pytest.mark.parametrize('protocol', sorted(protocols()))
def test_the_inputs_of_every_protocol_come_back(build, protocol, change):
    inputs = changed_inputs(campaign_inputs(protocol, {'label': {'qe': CUTOFFS}}), CHANGES[change])
    built = build(inputs)
    assert read_campaign_inputs(built) == inputs
    assert inferred_campaign_inputs(built) == inputs


@pytest.mark.parametrize('engine', ['emt', 'eam', 'ensemble'])
def test_other_labellers_and_their_nodes_come_back(build, make_ensemble, worker_code, engine):
    inputs = campaign_inputs('laptop', {'label': {'labeller': engine, 'job': {'max_wallclock_seconds': 77}}})
    potential = orm.SinglefileData(io.BytesIO(b'x'), filename='a.eam.fs')
    teacher = EnsembleData(make_ensemble())
    given = {'eam': {'potential': potential}, 'ensemble': {'teacher': teacher}, 'emt': {}}[engine]
    built = build(inputs, **given)
    found = inferred_campaign_inputs(built)
    # Settings that the labeller does not use are not stored in any node.
    assert found.model_copy(update={'label': inputs.label}) == inputs
    assert (found.label.labeller, found.label.limits, found.label.job) == (
        engine,
        inputs.label.limits,
        inputs.label.job,
    )
    nodes = campaign_nodes(built)
    assert nodes.worker_code == worker_code
    assert nodes.labeller == given


def test_a_campaign_that_has_run_tells_its_settings(campaigns, campaign_overrides, worker_code):
    short = {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10}
    inputs = campaign_inputs('demo', campaign_overrides(training={'final': short}))
    built = campaigns['main'].get_builder_restart()._inputs(prune=True)
    assert read_campaign_inputs(built) == inputs
    found = inferred_campaign_inputs(built)
    unread = {'label': inputs.label, 'description': inputs.description}
    assert found.model_copy(update=unread) == inputs
    assert campaign_nodes(built).worker_code.uuid == worker_code.uuid
