"""A property from dynamics that is interrupted goes on, and a benchmark runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potentials import load
from aiida_anial.properties.registry import BenchmarkSettings
from aiida_anial.queries.records import records
from aiida_anial.workchains.benchmark import BenchmarkWorkChain
from aiida_anial.workchains.checkpointed import PropertyWorkChain

pytestmark = pytest.mark.slow

WAVE = {
    'direction': '100',
    'repeats': [2, 30, 2],
    'equilibration_ps': 0.1,
    'time_ps': 1.1,
    'time_step_fs': 2.0,
    'profile_interval_steps': 20,
}
SETTINGS = BenchmarkSettings.parse({'shock': {'particle_velocities_km_s': [1.5, 2.0], 'wave': WAVE}})


@pytest.fixture(scope='module')
def chains(run_all, worker, interrupting_worker) -> dict[str, Any]:
    builders = {}
    for name, code in (
        ('whole', worker['code']),
        ('interrupted', interrupting_worker('property-code', 'wave of 1.5 km/s')),
    ):
        builder: Any = PropertyWorkChain.get_builder()
        builder.worker = {
            **worker,
            'code': code,
            'labeller': orm.Dict({'kind': 'emt'}),
            'property': orm.Str('shock'),
            'settings': orm.Dict(SETTINGS.part('shock')),
        }
        builders[name] = builder
    return dict(zip(builders, run_all(*builders.values()), strict=True))


def test_a_shock_that_was_interrupted_goes_on_with_the_wave_that_is_missing(chains, jobs_under):
    jobs = jobs_under(chains['interrupted'])
    assert [job.exit_status for job in jobs] == [400, 0]
    assert jobs[1].inputs.parent_folder.uuid == jobs[0].outputs.retrieved.uuid
    printed = jobs[1].outputs.retrieved.base.repository.get_object_content('worker.out')
    assert 'wave of 2 km/s' in printed
    assert 'wave of 1.5 km/s' not in printed
    whole = chains['whole'].outputs
    for name, quantity in whole.quantities['quantities'].items():
        found = chains['interrupted'].outputs.quantities['quantities'][name]
        assert found['value'] == pytest.approx(quantity['value'], rel=1e-6), name
    for name in whole.curves.get_arraynames():
        found = chains['interrupted'].outputs.curves.get_array(name)
        np.testing.assert_allclose(found, whole.curves.get_array(name), rtol=1e-6)


def test_a_benchmark_lets_it_run_on(run_all, worker, jobs_under):
    settings = BenchmarkSettings.parse({'shock': {'particle_velocities_km_s': [2.0], 'wave': WAVE}})
    builder: Any = BenchmarkWorkChain.get_builder()
    builder.ensemble = EnsembleData(load('Al-laptop').potential)
    builder.properties = orm.List(['lattice', 'shock'])
    builder.settings = orm.Dict(settings.to_dict())
    builder.worker = worker
    (node,) = run_all(builder)
    assert node.is_finished_ok, node.exit_message
    assert sorted(child.process_label for child in node.called if 'Property' in child.process_label) == [
        'PropertyCalculation',
        'PropertyWorkChain',
    ]
    assert 'shock_velocity_2000' in node.outputs.quantities.ensemble.shock['quantities']
    (row,) = records('benchmarks', {'property': 'shock', 'ensemble': str(builder.ensemble.pk)})
    assert row['process'] == 'PropertyCalculation'
