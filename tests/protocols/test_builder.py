"""The builder turns the settings into the inputs of the work chain."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiida import orm

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain

CUTOFFS = {'label': {'qe': {'ecutwfc_ry': 16, 'ecutrho_ry': 64}}}


@pytest.fixture
def build(worker_code, pw_code, pseudo):
    """Return a function that makes the builder of a protocol with overrides."""

    def make(protocol: str = 'demo', overrides: dict[str, Any] | None = None, **nodes: Any) -> Any:
        codes = {'worker_code': worker_code, 'pw_code': pw_code, 'pseudo': pseudo}
        return campaign_builder(campaign_inputs(protocol, overrides or CUTOFFS), **(codes | nodes))

    return make


def test_nothing_is_stored(build, count_nodes):
    before = count_nodes()
    build()
    assert count_nodes() == before


@pytest.mark.parametrize('protocol', ['demo', 'laptop', 'paper'])
def test_the_work_chain_accepts_what_is_built(build, protocol):
    builder = build(protocol)
    assert ActiveLearningWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


def test_every_part_of_the_settings_arrives(build):
    inputs = campaign_inputs('demo', CUTOFFS)
    builder = build()
    arrived = {
        'campaign': builder.campaign,
        'cells': builder.cycle.cell_settings,
        'schedules': builder.cycle.schedule_settings,
        'thresholds': builder.threshold_rule,
        'model': builder.train.worker.model,
        'engine': builder.cycle.sample.worker.engine,
    }
    for key, node in arrived.items():
        assert node.get_dict() == getattr(inputs, key).to_dict(), key
    assert builder.seed.value == inputs.seed
    assert builder.cycle.sample.worker.settings.get_dict() == inputs.sampling.dynamics.to_dict()
    assert builder.cycle.label.limits.get_dict() == inputs.label.limits.to_dict()
    for stage in ('initial', 'retrain', 'final'):
        assert builder.training[stage].get_dict() == getattr(inputs.training, stage).to_dict()
    assert builder.train.worker.engine['threads'] == inputs.training.threads


def test_a_benchmark_arrives_if_one_is_asked_for(build):
    assert 'properties' not in build().benchmark
    benchmark = build(overrides=CUTOFFS | {'benchmark': {'properties': 'quick'}}).benchmark
    assert benchmark.properties.get_list() == ['lattice', 'cold_curves', 'elastic', 'vacancy']
    assert benchmark.settings['vacancy']['supercells'] == [3]


def test_every_key_of_the_settings_is_used_by_the_builder_or_the_command_line():
    """This fails if a new key of the settings has no effect."""
    used = {'seed', 'campaign', 'model', 'engine', 'cells', 'schedules', 'sampling', 'thresholds', 'training', 'label'}
    assert set(CampaignInputs.model_fields) - {'description'} == used | {'benchmark'}


def test_pw_always_smears_and_gives_forces_and_stress(build):
    parameters = build().cycle.label.qe.pw.parameters.get_dict()
    assert parameters['CONTROL'].items() >= {'calculation': 'scf', 'tprnfor': True, 'tstress': True}.items()
    assert parameters['SYSTEM']['occupations'] == 'smearing'
    assert (parameters['SYSTEM']['ecutwfc'], parameters['SYSTEM']['ecutrho']) == (16, 64)


def test_further_namelists_are_laid_over_ours(build):
    extra = {'label': {'qe': {**CUTOFFS['label']['qe'], 'parameters': {'ELECTRONS': {'mixing_beta': 0.4}}}}}
    parameters = build(overrides=extra).cycle.label.qe.pw.parameters.get_dict()
    assert parameters['ELECTRONS'] == {'mixing_beta': 0.4, 'mixing_mode': 'local-TF', 'conv_thr': 1e-4}


def test_a_mesh_and_a_rule_for_meshes_exclude_each_other(build):
    qe = build().cycle.label.qe
    assert qe.kpoints_density.value == 500
    assert not {'kpoints', 'kpoints_distance'} & set(qe._inputs(prune=True))
    qe = build('paper').cycle.label.qe
    assert qe.kpoints.get_kpoints_mesh()[0] == [3, 3, 3]
    assert not {'kpoints_density', 'kpoints_distance'} & set(qe._inputs(prune=True))


def test_jobs_have_the_limits_of_their_stage(build):
    overrides = {
        **CUTOFFS,
        'training': {'job': {'max_wallclock_seconds': 111}},
        'sampling': {'job': {'max_wallclock_seconds': 222, 'queue_name': 'md'}},
    }
    builder = build(overrides=overrides)
    assert builder.train.worker.metadata.options.max_wallclock_seconds == 111
    assert builder.validate.metadata.options.max_wallclock_seconds == 111
    assert builder.cycle.sample.worker.metadata.options.max_wallclock_seconds == 222
    assert builder.cycle.sample.worker.metadata.options.queue_name == 'md'


def test_without_a_final_stage_there_is_none(build):
    builder = build(overrides={**CUTOFFS, 'training': {'final': None}})
    assert 'final' not in builder.training._inputs(prune=True)


@pytest.mark.parametrize('engine', ['emt', 'eam', 'ensemble'])
def test_other_labellers_take_their_own_nodes(build, make_ensemble, engine):
    potential = orm.SinglefileData(io.BytesIO(b'x'), filename='a.eam.fs')
    nodes = {'eam': {'potential': potential}, 'ensemble': {'teacher': EnsembleData(make_ensemble())}, 'emt': {}}
    builder = build(overrides={'label': {'labeller': engine}}, **nodes[engine])
    assert builder.cycle.label.evaluate.labeller.get_dict() == {'kind': engine}
    assert 'qe' not in builder.cycle.label._inputs(prune=True)
    assert ActiveLearningWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


@pytest.mark.parametrize(
    ('overrides', 'nodes', 'expected'),
    [
        (CUTOFFS, {'pw_code': None}, r'label\.labeller: .*needs a code for pw\.x'),
        (CUTOFFS, {'pseudo': None}, r'label\.labeller: .*pseudopotential'),
        ({'seed': 1}, {}, r'label\.qe\.ecutwfc_ry: no cutoff'),
        ({'label': {'labeller': 'eam'}}, {}, r'label\.labeller: the labeller eam needs'),
        ({'label': {'labeller': 'ensemble'}}, {}, r'label\.labeller: the labeller ensemble needs'),
    ],
)
def test_a_missing_node_is_named(build, overrides, nodes, expected):
    with pytest.raises(AnialError, match=expected):
        build(overrides=overrides, **nodes)
