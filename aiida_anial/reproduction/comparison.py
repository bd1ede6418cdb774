"""Compare a step with its repetition, output by output, and the machines on which they ran."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import LinkType

from aiida_anial.calculations.worker import WorkerCalculation
from aiida_anial.reproduction.quantities import Quantity, quantities
from aiida_anial.reproduction.steps import StepKind, describe, end_of, kind_of
from aiida_anial.reproduction.verdicts import Record, Verdict, dft_tolerances, is_compared, unit_of

__all__ = ('compare', 'machine_differences', 'version_differences')


def machine_differences(original: Any, again: Any) -> dict[str, tuple[str, str]]:
    """Return the differences between the machines of two runs, as pairs (original, again) by name.

    Jobs of ``anial-worker`` record their machine in ``output.json``, which is retrieved. Machines of the same kind give
    an empty dictionary.
    """
    there, here = _machines(original), _machines(again)
    return {
        name: (there.get(name, 'not recorded'), here.get(name, 'not recorded'))
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    }


def version_differences(original: Any, again: Any) -> dict[str, tuple[str, str]]:
    """Return the versions of AiiDA and of the plugin that differ, as pairs (original, again) by name."""
    there, here = (node.base.attributes.get('version', {}) for node in (original, again))
    names = {'core': 'aiida-core', 'plugin': 'the plugin'}
    return {
        names.get(name, name): (str(there.get(name)), str(here.get(name)))
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    }


def _machines(node: Any) -> dict[str, str]:
    """Return the machine of all jobs of a step by name, with several values if they ran on several machines."""
    lines: dict[str, set[str]] = {}
    for job in _jobs(node):
        for name, value in _machine_of(job).items():
            lines.setdefault(name, set()).add(value)
    return {name: ', '.join(sorted(values)) for name, values in lines.items()}


def _jobs(node: Any) -> list[Any]:
    return [job for job in (node, *node.called_descendants) if isinstance(job, orm.CalcJobNode)]


def _machine_of(job: Any) -> dict[str, str]:
    """Return what a job recorded about its machine; empty for jobs of other programs and for missing records."""
    if 'retrieved' not in job.outputs:
        return {}
    repository = job.outputs.retrieved.base.repository
    if WorkerCalculation.OUTPUT not in repository.list_object_names():
        return {}
    try:
        machine = json.loads(repository.get_object_content(WorkerCalculation.OUTPUT, 'r')).get('machine') or {}
    except ValueError:
        return {}
    versions = machine.pop('versions', {})
    lines = {
        name: ' '.join(map(str, value)) if isinstance(value, list) else str(value) for name, value in machine.items()
    }
    return lines | {f'version of {name}': str(version) for name, version in versions.items()}


_SAME_ON_ONE_MACHINE = (StepKind.EVALUATION, StepKind.DYNAMICS, StepKind.TRAINING)

# Returns the tolerance of a quantity of an output, or None if it is not compared.
_Tolerance = Callable[[str, str], float | None]

_SCHEMA = 'schema_version'
# What describes the layout of a node, and not its content.
_LAYOUT = (_SCHEMA, '.metadata')

_CREATOR_VERSION = ('output_parameters', 'creator_version')


def compare(original: Any, again: Any) -> list[Record]:
    """Return a record for every compared quantity of every output, and for differences of versions and machines.

    The module ``verdicts`` defines the tolerances, and what is not compared.

    :param original: a step that succeeded.
    :param again: the same step, run again.
    """
    if not again.is_finished_ok:
        return [Record('', 'end', False, Verdict.FAILED, note=f'{describe(again)} ended with {end_of(again)}')]
    kind = kind_of(original)
    records = [
        Record('', name, False, Verdict.OTHER_VERSION, note=f'{there} became {here}')
        for name, (there, here) in version_differences(original, again).items()
    ]
    differences = machine_differences(original, again) if kind in _SAME_ON_ONE_MACHINE else {}
    records += [
        Record('', name, False, Verdict.OTHER_MACHINE, note=f'{there} became {here}')
        for name, (there, here) in differences.items()
    ]
    excuse = Verdict.OTHER_MACHINE if differences else Verdict.FAILED
    return [*records, *_outputs(original, again, _tolerance(original, kind), excuse)]


def _tolerance(original: Any, kind: StepKind | None) -> _Tolerance:
    """Return the function that gives the tolerance of an output and quantity."""
    if kind != StepKind.DFT:
        return lambda _output, _quantity: 0.0
    table = dft_tolerances(original)
    return lambda output, quantity: table.get((output, quantity))


def _outputs(original: Any, again: Any, tolerance: _Tolerance, excuse: Verdict) -> Iterator[Record]:
    """Yield the records of all outputs, including those that only one of the two has."""
    there, here = _by_label(original), _by_label(again)
    for output in sorted({*there, *here}):
        if output not in there or output not in here:
            note = 'the original has no such output' if output not in there else 'this output is missing'
            yield Record(output, '', False, excuse, note=note)
            continue
        before, after = quantities(there[output]), quantities(here[output])
        newer = _schema(before) != _schema(after)
        for name in sorted({*before, *after}):
            if name not in before or (newer and name.endswith(_LAYOUT)):
                yield Record(output, name, False, Verdict.OTHER_VERSION, note='this version stores it in another way')
            elif (output, name) == _CREATOR_VERSION:
                yield _program(before.get(name), after.get(name))
            elif (allowed := tolerance(output, name)) is not None:
                yield _record(output, name, before[name], after.get(name), tolerance=allowed, excuse=excuse)


def _schema(found: Mapping[str, Quantity]) -> Any:
    """Return the version of the layout that a node was written in, if it says one."""
    return found[_SCHEMA].values[0] if _SCHEMA in found else None


def _by_label(node: Any) -> dict[str, Any]:
    """Return the outputs to compare by label."""
    links = node.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    return {link.link_label.replace('__', '.'): link.node for link in links if is_compared(link.link_label, link.node)}


def _program(before: Quantity | None, after: Quantity | None) -> Record:
    """Return the record of the version of pw.x; another version does not relax any tolerance."""
    there, here = (str(one.values[0]) if one is not None else 'not recorded' for one in (before, after))
    if there == here:
        return Record(*_CREATOR_VERSION, True, Verdict.IDENTICAL, note=there)
    return Record(*_CREATOR_VERSION, False, Verdict.OTHER_VERSION, note=f'{there} became {here}')


def _record(
    output: str, name: str, before: Quantity, after: Quantity | None, *, tolerance: float, excuse: Verdict
) -> Record:
    """Return the record of one quantity."""
    if after is None:
        return Record(output, name, False, excuse, tolerance=tolerance, note='it is missing')
    identical = _identical(before, after)
    deviation, note = (0.0 if _is_numeric(before) else None, '') if identical else _deviation(before, after)
    if identical:
        verdict = Verdict.IDENTICAL
    elif deviation is not None and tolerance > 0 and deviation <= tolerance:
        verdict = Verdict.WITHIN
    else:
        verdict = excuse
    return Record(output, name, identical, verdict, deviation, unit_of(name), tolerance, note)


def _identical(before: Quantity, after: Quantity) -> bool:
    if before.layout != after.layout:
        return False
    if isinstance(before.values, np.ndarray) and isinstance(after.values, np.ndarray):
        return before.values.dtype == after.values.dtype and before.values.tobytes() == after.values.tobytes()
    return type(before.values) is type(after.values) and bool(before.values == after.values)


def _is_numeric(quantity: Quantity) -> bool:
    return isinstance(quantity.values, np.ndarray) and quantity.values.dtype.kind in 'biuf'


def _deviation(before: Quantity, after: Quantity) -> tuple[float | None, str]:
    """Return the largest absolute difference, or None and the reason if there is none."""
    if before.layout != after.layout:
        return None, 'the number or the layout of its values differs'
    if not isinstance(before.values, np.ndarray) or not isinstance(after.values, np.ndarray) or not _is_numeric(before):
        return None, 'the content differs'
    there, here = before.values.astype(np.float64), after.values.astype(np.float64)
    finite = np.isfinite(there) & np.isfinite(here)
    if not np.array_equal(there[~finite], here[~finite], equal_nan=True):
        return None, 'a number is finite in only one of them'
    return float(np.abs(there[finite] - here[finite]).max(initial=0.0)), ''
