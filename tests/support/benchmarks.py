"""A benchmark that has ended, with results of EMT as a stand-in for those of its ensemble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState
from aiida.tools import delete_nodes

from aiida_anial.properties.quantity import PropertyResult

__all__ = ('stored_benchmark',)


@contextmanager
def stored_benchmark(ensemble: Any, results: dict[str, PropertyResult]) -> Iterator[orm.WorkChainNode]:
    """Provide a stored benchmark of an ensemble, and delete it in the end: a release of the campaign would contain it.

    :param results: by name of the property.
    """
    outputs = {}
    for name, result in results.items():
        quantities = {key: one.to_dict() for key, one in result.quantities.items()}
        curves = orm.ArrayData()
        for key, array in result.curves.items():
            curves.set_array(key, np.asarray(array, dtype=np.float64))
        content = {'property': name, 'quantities': quantities, 'notes': list(result.notes)}
        outputs |= {f'quantities__ensemble__{name}': orm.Dict(content), f'curves__ensemble__{name}': curves}
    benchmark = orm.WorkChainNode()
    benchmark.set_process_label('BenchmarkWorkChain')
    benchmark.set_process_state(ProcessState.FINISHED)
    benchmark.set_exit_status(0)
    benchmark.base.links.add_incoming(ensemble, link_type=LinkType.INPUT_WORK, link_label='ensemble')
    benchmark.store()
    for label, output in outputs.items():
        output.store().base.links.add_incoming(benchmark, link_type=LinkType.RETURN, link_label=label)
    benchmark.seal()
    yield benchmark
    delete_nodes([benchmark.pk, *(output.pk for output in outputs.values())], dry_run=False)
