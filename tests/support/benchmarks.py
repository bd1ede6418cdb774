"""A benchmark that has ended, with results of EMT as a stand-in for those of its ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState

from aiida_anial.properties.quantity import PropertyResult

__all__ = ('stored_benchmark',)


def stored_benchmark(ensemble: Any, results: dict[str, PropertyResult]) -> orm.WorkChainNode:
    """Store a benchmark of an ensemble.

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
    return benchmark.seal()
