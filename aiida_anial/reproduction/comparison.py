"""A step and the same step run again, output by output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from aiida.common import LinkType

from aiida_anial.reproduction.kinds import StepKind, kind_of
from aiida_anial.reproduction.machines import machine_differences, version_differences
from aiida_anial.reproduction.quantities import Quantity, quantities
from aiida_anial.reproduction.records import Record, Verdict
from aiida_anial.reproduction.steps import describe, end_of
from aiida_anial.reproduction.tolerances import dft_tolerances, is_compared
from aiida_anial.reproduction.units import unit_of

__all__ = ('compare',)

_SAME_ON_ONE_MACHINE = (StepKind.EVALUATION, StepKind.DYNAMICS, StepKind.TRAINING)

# The tolerance of a quantity of an output; None: it is not compared.
_Tolerance = Callable[[str, str], float | None]

_CREATOR_VERSION = ('output_parameters', 'creator_version')


def compare(original: Any, again: Any) -> list[Record]:
    """Return a record for every quantity of every output that is compared, and for what the two ran on.

    ``tolerances`` says what is promised, and what is not compared.

    :param original: a step that finished well.
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
    """Return the tolerance by output and quantity."""
    if kind != StepKind.DFT:
        return lambda _output, _quantity: 0.0
    table = dft_tolerances(original)
    return lambda output, quantity: table.get((output, quantity))


def _outputs(original: Any, again: Any, tolerance: _Tolerance, excuse: Verdict) -> Iterator[Record]:
    """Return the records of all outputs, those that only one of the two has included."""
    there, here = _by_label(original), _by_label(again)
    for output in sorted({*there, *here}):
        if output not in there or output not in here:
            note = 'the original has no such output' if output not in there else 'this output is missing'
            yield Record(output, '', False, excuse, note=note)
            continue
        before, after = quantities(there[output]), quantities(here[output])
        for name in sorted({*before, *after}):
            if (output, name) == _CREATOR_VERSION:
                yield _program(before.get(name), after.get(name))
            elif (allowed := tolerance(output, name)) is not None:
                yield _record(output, name, before.get(name), after.get(name), tolerance=allowed, excuse=excuse)


def _by_label(node: Any) -> dict[str, Any]:
    """Return the outputs that are compared."""
    links = node.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    return {link.link_label.replace('__', '.'): link.node for link in links if is_compared(link.link_label, link.node)}


def _program(before: Quantity | None, after: Quantity | None) -> Record:
    """Return the record of the version of pw.x, which excuses no deviation."""
    there, here = (str(one.values[0]) if one is not None else 'not recorded' for one in (before, after))
    if there == here:
        return Record(*_CREATOR_VERSION, True, Verdict.IDENTICAL, note=there)
    return Record(*_CREATOR_VERSION, False, Verdict.OTHER_VERSION, note=f'{there} became {here}')


def _record(
    output: str, name: str, before: Quantity | None, after: Quantity | None, *, tolerance: float, excuse: Verdict
) -> Record:
    """Return the record of one quantity."""
    if before is None or after is None:
        note = 'the original does not have it' if before is None else 'it is missing'
        return Record(output, name, False, excuse, tolerance=tolerance, note=note)
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
    """Return the largest absolute difference, or None and why there is none."""
    if before.layout != after.layout:
        return None, 'the number or the place of its values differs'
    if not isinstance(before.values, np.ndarray) or not isinstance(after.values, np.ndarray) or not _is_numeric(before):
        return None, 'the content differs'
    there, here = before.values.astype(np.float64), after.values.astype(np.float64)
    finite = np.isfinite(there) & np.isfinite(here)
    if not np.array_equal(there[~finite], here[~finite], equal_nan=True):
        return None, 'a number is finite in one of them only'
    return float(np.abs(there[finite] - here[finite]).max(initial=0.0)), ''
