"""The benchmark in the loop."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.tools.archive.abstract import get_format

from aiida_anial.cli.campaign_tables import print_campaign
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.records import records
from aiida_anial.report.release import write_release
from aiida_anial.report.texts import Author

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def campaign(run_all, worker_code, campaign_overrides, shard, training) -> Any:
    """A campaign whose iterations are done, so that the last benchmark is all that is left."""
    changes = {'campaign': {'max_iterations': 1}, 'benchmark': {'properties': 'quick'}}
    builder: Any = campaign_builder(campaign_inputs('demo', campaign_overrides(**changes)), worker_code=worker_code)
    builder.continued = {
        'shards': {'shard_000': shard},
        'training': {'ensemble': training.outputs.ensemble, 'summary': training.outputs.summary},
        'thresholds': orm.Dict({'energy_ev_per_sqrt_atom': 0.1}).store(),
        'iteration': orm.Int(1).store(),
    }
    (node,) = run_all(builder)
    return node


def test_the_ensemble_is_benchmarked_by_the_quick_set(campaign, ensemble_node):
    assert campaign.is_finished_ok, campaign.exit_message
    (benchmark,) = (child for child in campaign.called if child.process_label == 'BenchmarkWorkChain')
    assert benchmark.is_finished_ok, benchmark.exit_message
    assert benchmark.label == 'benchmark 001'
    assert benchmark.inputs.ensemble.uuid == ensemble_node.uuid
    assert sorted(benchmark.outputs.table['ensemble']) == ['cold_curves', 'elastic', 'lattice', 'vacancy']


def test_the_status_shows_rank_lattice_constant_and_elastic_constants(campaign, capsys):
    status = campaign_status(campaign)
    print_campaign(status)
    printed = capsys.readouterr().out
    (benchmark,) = (child for child in campaign.called if child.process_label == 'BenchmarkWorkChain')
    table = benchmark.outputs.table['ensemble']
    assert 'Properties of the ensembles' in printed
    for name, quantity, digits in (('lattice', 'a0', 4), ('elastic', 'c44', 1), ('elastic', 'b', 1)):
        assert f'{table[name][quantity]["value"]:.{digits}f}' in printed


def test_queries_know_which_benchmarks_are_of_the_campaign(campaign):
    assert len(records('benchmarks', campaigns=[campaign])) == 4


def test_a_campaign_continues_without_a_benchmark_that_fails(campaign, fake_chain):
    failed = fake_chain('BenchmarkWorkChain', exit_status=410, exit_message='no minimum', state=ProcessState.FINISHED)
    reported: list[str] = []

    class Chain:
        """What the step sees of its work chain."""

        def __init__(self) -> None:
            from aiida.common import AttributeDict

            self.ctx = AttributeDict({'benchmark': failed})

        def report(self, text: str) -> None:
            reported.append(text)

    from aiida_anial.workchains.active_learning import ActiveLearningWorkChain

    assert ActiveLearningWorkChain.inspect_benchmark(Chain()) is None
    assert 'no minimum' in reported[0]


def test_a_release_has_the_properties_as_table_plots_and_processes(campaign, tmp_path):
    target = tmp_path / 'release'
    author = Author.parse('Curie, Marie')
    write_release(campaign, target, title='Aluminium', authors=[author], license_id='CC-BY-4.0')
    rows = list(csv.DictReader((target / 'tables' / 'properties.csv').open()))
    (benchmark,) = (child for child in campaign.called if child.process_label == 'BenchmarkWorkChain')
    c11 = benchmark.outputs.table['ensemble']['elastic']['c11']['value']
    found = {(row['quantity'], row['source']): row['value'] for row in rows if row['property'] == 'elastic'}
    assert float(found['c11', 'ensemble']) == c11
    assert float(found['c11', 'experiment']) == 114
    assert (target / 'plots' / 'cold_curves.svg').stat().st_size > 0
    assert 'plots/cold_curves.svg' in (target / 'README.md').read_text()
    properties = {child.uuid for child in benchmark.called if child.process_label == 'PropertyCalculation'}
    with get_format().open(target / 'campaign.aiida', 'r') as reader:
        builder = orm.QueryBuilder(backend=reader.get_backend())
        builder.append(orm.CalcJobNode, filters={'attributes.process_label': 'PropertyCalculation'}, project='uuid')
        assert len(properties) == 4
        assert properties <= set(builder.all(flat=True))
