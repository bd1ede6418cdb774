"""The results of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_anial.common.errors import AnialError
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.quantity import Quantity
from aiida_anial.workchains.benchmark import BenchmarkWorkChain

__all__ = ('benchmark_results', 'load_benchmark')

Results = dict[str, dict[str, PropertyResult]]


def load_benchmark(identifier: str) -> Any | None:
    """Return the benchmark with this pk or UUID, or None if the node is something else.

    :raises AnialError: if there is no such node.
    """
    try:
        node: Any = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise AnialError(f'ENSEMBLE: there is no node and no file {identifier!r}.') from exception
    return node if getattr(node, 'process_label', None) == BenchmarkWorkChain.__name__ else None


def benchmark_results(benchmark: Any) -> Results:
    """Return what a benchmark has found, by subject and property; empty while nothing is attached to it."""
    quantities = benchmark.base.links.get_outgoing(link_label_filter='quantities\\_\\_%').all()
    curves = {link.link_label: link.node for link in benchmark.base.links.get_outgoing().all()}
    results: Results = {}
    for link in sorted(quantities, key=lambda link: link.link_label):
        _, subject, name = link.link_label.split('__')
        arrays = curves[f'curves__{subject}__{name}']
        results.setdefault(subject, {})[name] = _result(link.node.get_dict(), arrays)
    return results


def _result(content: Mapping[str, Any], arrays: orm.ArrayData) -> PropertyResult:
    return PropertyResult(
        {name: Quantity.parse(value) for name, value in content['quantities'].items()},
        {name: arrays.get_array(name) for name in arrays.get_arraynames()},
        tuple(content['notes']),
    )
