"""A benchmark of ensembles: what comes out, what fails, what is not computed twice, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import CalcJob

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.properties.registry import BenchmarkSettings, benchmark_set, run_properties
from aiida_anial.protocols.builder import BenchmarkSubjects, benchmark_builder
from aiida_anial.queries.benchmarks import benchmark_results, benchmarks_of, compared_subjects, load_benchmark
from aiida_anial.queries.records import records
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.steps import steps_under
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.workchains.benchmark import BenchmarkWorkChain

NAMES = ('lattice', 'elastic')


@pytest.fixture(scope='module')
def benchmark(run_all, worker_code, ensemble_node, make_ensemble):
    """A benchmark of a sound ensemble beside one of random networks, for which FCC has no minimum."""
    subjects = BenchmarkSubjects(ensemble_node, references={'random': EnsembleData(make_ensemble())})
    (node,) = run_all(benchmark_builder(subjects, NAMES, benchmark_set(quick=True)[1], worker_code=worker_code))
    return node


def test_what_failed_is_named_and_the_rest_is_attached(benchmark):
    assert benchmark.exit_status == 410
    assert '2 of 4 properties failed: random.elastic' in benchmark.exit_message
    assert 'lattice constant of FCC' in benchmark.exit_message
    assert sorted(benchmark.outputs.quantities) == ['ensemble']
    assert sorted(benchmark.outputs.curves['ensemble']) == sorted(NAMES)


def test_the_numbers_are_those_without_aiida(benchmark, sound_ensemble):
    from aiida_anial.potential.settings import EngineSettings

    calculator = AnialCalculator(sound_ensemble, settings=EngineSettings(dtype='float64'))
    expected = run_properties(NAMES, benchmark_set(quick=True)[1], calculator)
    found = benchmark_results(benchmark)['ensemble']
    for name in NAMES:
        assert set(found[name].quantities) == set(expected[name].quantities)
        for quantity, value in expected[name].quantities.items():
            # The database keeps fourteen digits.
            assert found[name].quantities[quantity].value == pytest.approx(value.value, rel=1e-12)
            assert found[name].quantities[quantity].unit == value.unit
        for curve, values in expected[name].curves.items():
            np.testing.assert_array_equal(found[name].curves[curve], values)
    assert 3.9 < found['lattice'].quantities['a0'].value < 4.2
    assert benchmark.outputs.table['ensemble']['elastic']['c11']['unit'] == 'GPa'


def test_every_number_has_a_process_that_knows_its_ensemble(benchmark, ensemble_node):
    for node in benchmark.outputs.quantities['ensemble'].values():
        assert issubclass(node.creator.process_class, CalcJob)
        assert node.creator.inputs.ensemble.uuid == ensemble_node.uuid


def test_the_same_property_is_not_computed_again(benchmark, run_all, worker_code, ensemble_node):
    builder = benchmark_builder(
        BenchmarkSubjects(ensemble_node), ('elastic',), benchmark_set(quick=True)[1], worker_code=worker_code
    )
    (again,) = run_all(builder)
    assert again.is_finished_ok
    (job,) = (child for child in again.called if isinstance(child, orm.CalcJobNode))
    assert job.base.caching.is_created_from_cache
    assert again.outputs.table['ensemble']['elastic'] == benchmark.outputs.table['ensemble']['elastic']
    changed = BenchmarkSettings.parse({'elastic': {'strains': [0.004], 'window': 0.004}})
    (other,) = run_all(
        benchmark_builder(BenchmarkSubjects(ensemble_node), ('elastic',), changed, worker_code=worker_code)
    )
    (job,) = (child for child in other.called if isinstance(child, orm.CalcJobNode))
    assert job.base.caching.get_cache_source() is None


def test_a_property_runs_again_with_the_same_bits(benchmark):
    original = benchmark.outputs.quantities['ensemble']['elastic'].creator
    assert original.pk in [step.pk for step in steps_under(benchmark)]
    result = reproduce(original, Codes())
    assert result.verdict == Verdict.IDENTICAL, result.records
    assert {record.output for record in result.records} >= {'quantities', 'curves'}
    assert not result.again.base.caching.is_created_from_cache


def test_queries_find_the_values(benchmark):
    c11 = benchmark.outputs.table['ensemble']['elastic']['c11']['value']
    (row, *_) = records('benchmarks', {'c11_gpa': (c11 - 0.01, c11 + 0.01), 'property': 'elastic'})
    assert row['c11_gpa'] == c11
    assert row['ensemble'] == benchmark.inputs.ensemble.pk
    assert records('benchmarks', {'c11_gpa': (c11 + 1000, None)}) == []


def test_the_subjects_are_compared_with_the_first_reference_that_has_results(benchmark):
    assert benchmark.pk in [node.pk for node in benchmarks_of(benchmark.inputs.ensemble)]
    subjects, reference = compared_subjects([load_benchmark(str(benchmark.pk))])
    assert [(one.name, one.kind) for one in subjects] == [('ensemble', 'ensemble')]
    assert reference is None


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'properties': ['lattice', 'c11']}, "there is no 'c11'"),
        ({'properties': []}, 'at least one is needed'),
        ({'settings': {'elastic': {'window': 1e-4}}}, 'elastic.window'),
        ({'settings': {'elastik': {}}}, "did you mean 'elastic'"),
        ({'references': {'qe': None}}, 'two subjects have this name'),
        ({'ensemble': None}, 'nothing to benchmark'),
        ({'worker': None}, 'need a code of anial-worker'),
    ],
)
def test_bad_inputs_are_refused_before_anything_is_stored(changes, message, worker_code, sound_ensemble, count_nodes):
    ensemble = EnsembleData(sound_ensemble)
    builder = benchmark_builder(
        BenchmarkSubjects(ensemble), NAMES, benchmark_set(quick=True)[1], worker_code=worker_code
    )
    inputs = builder._inputs(prune=True)
    inputs |= {
        'properties': orm.List(list(changes.get('properties', NAMES))),
        'settings': orm.Dict(changes.get('settings', {})),
    }
    inputs['references'] = dict.fromkeys(changes.get('references', ()), ensemble)
    for name in ('ensemble', 'worker'):
        if name in changes:
            del inputs[name]
    before = count_nodes()
    with pytest.raises(ValueError, match=message):
        BenchmarkWorkChain(inputs=inputs)
    assert count_nodes() == before
