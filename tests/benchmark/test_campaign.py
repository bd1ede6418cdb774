"""The benchmark in the loop."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessState

from aiida_anial.cli.tables import print_campaign
from aiida_anial.data.dataset import DatasetData
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.records import records


@pytest.fixture(scope='module')
def campaign(run_all, worker_code, campaign_overrides, crystals, ensemble_node) -> Any:
    """A campaign whose iterations are done, so that the last benchmark is all that is left."""
    changes = {'campaign': {'max_iterations': 1}, 'benchmark': {'properties': 'quick'}}
    builder: Any = campaign_builder(campaign_inputs('demo', campaign_overrides(**changes)), worker_code=worker_code)
    builder.continued = {
        'shards': {'shard_000': DatasetData(crystals).store()},
        'training': {'ensemble': ensemble_node, 'summary': orm.Dict({'test': None}).store()},
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


def test_a_campaign_goes_on_without_a_benchmark_that_fails(campaign, fake_chain):
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
