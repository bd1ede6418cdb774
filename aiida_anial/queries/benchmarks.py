"""The results of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm

from aiida_anial.common.quantity import Quantity
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded
from aiida_anial.properties.comparison.results import DFT, DFT_KIND, MAIN, Subject
from aiida_anial.properties.quantity import PropertyResult

__all__ = (
    'benchmark_results',
    'benchmarks_of',
    'compared_subjects',
    'ensemble_lines',
    'load_benchmark',
    'quantity_nodes',
)

Results = dict[str, dict[str, PropertyResult]]


def load_benchmark(identifier: str) -> Any | None:
    """Return the benchmark with this pk or UUID, or None if the node is something else.

    :raises AnialError: if there is no such node.
    """
    node = loaded(identifier, 'ENSEMBLE', or_file=True)
    return node if getattr(node, 'process_label', None) == 'BenchmarkWorkChain' else None


def benchmarks_of(ensemble: EnsembleData) -> list[Any]:
    """Return the benchmarks of an ensemble that have ended, the oldest first."""
    query = orm.QueryBuilder()
    query.append(EnsembleData, filters={'id': ensemble.pk}, tag='ensemble')
    query.append(
        orm.WorkChainNode,
        with_incoming='ensemble',
        edge_filters={'label': MAIN},
        filters={'attributes.process_label': 'BenchmarkWorkChain', 'attributes': {'has_key': 'exit_status'}},
        tag='benchmark',
    )
    return query.order_by({'benchmark': {'id': 'asc'}}).all(flat=True)


def compared_subjects(benchmarks: Sequence[Any]) -> tuple[list[Subject], Subject | None]:
    """Return the subjects of benchmarks of one ensemble, and the one that the others' curves are compared with.

    That is DFT, or the first of the others. Where two benchmarks have the same property of one subject, the later
    counts.
    """
    results: Results = {}
    kinds = {DFT: DFT_KIND}
    for benchmark in benchmarks:
        for subject, found in benchmark_results(benchmark).items():
            results.setdefault(subject, {}).update(found)
        for link in benchmark.base.links.get_incoming(link_label_filter='potentials\\_\\_%').all():
            kinds[link.link_label.removeprefix('potentials__')] = 'eam'
    order = sorted(results, key=lambda name: (name != MAIN, name == DFT, name))
    subjects = [Subject(name, kinds.get(name, 'ensemble'), results[name]) for name in order]
    if DFT in results:
        return subjects, subjects[-1]
    return subjects, subjects[1] if len(subjects) > 1 else None


def ensemble_lines(benchmark: Any) -> list[str]:
    """Return which ensemble each column of a benchmark is."""
    links = benchmark.base.links.get_incoming(node_class=EnsembleData).all()
    named = {link.link_label.removeprefix('references__'): link.node for link in links}
    return [f'{name}: ensemble {node.pk}{f", {node.label}" if node.label else ""}' for name, node in named.items()]


def benchmark_results(benchmark: Any) -> Results:
    """Return what a benchmark has found, by subject and property; empty while nothing is attached to it."""
    outgoing = {link.link_label: link.node for link in benchmark.base.links.get_outgoing().all()}
    results: Results = {}
    for (subject, name), node in quantity_nodes(benchmark).items():
        results.setdefault(subject, {})[name] = _result(node.get_dict(), outgoing[f'curves__{subject}__{name}'])
    return results


def quantity_nodes(benchmark: Any) -> dict[tuple[str, str], orm.Dict]:
    """Return the nodes of the quantities that a benchmark has found, by subject and property."""
    links = benchmark.base.links.get_outgoing(link_label_filter='quantities\\_\\_%').all()
    found = {}
    for link in sorted(links, key=lambda link: link.link_label):
        _, subject, name = link.link_label.split('__')
        found[subject, name] = link.node
    return found


def _result(content: Mapping[str, Any], arrays: orm.ArrayData) -> PropertyResult:
    return PropertyResult(
        {name: Quantity.parse(value) for name, value in content['quantities'].items()},
        {name: arrays.get_array(name) for name in arrays.get_arraynames()},
        tuple(content['notes']),
    )
