"""Select steps to run again within a budget, run them in this process, and compare the results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.engine import run_get_node

from aiida_anial.common.errors import AnialError
from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.reproduction.comparison import compare
from aiida_anial.reproduction.steps import INPUT_LINKS, StepKind, describe, kind_of, obstacle, seconds_of
from aiida_anial.reproduction.verdicts import Record, Verdict
from aiida_anial.runtime.caching import without_cache
from aiida_anial.runtime.interruption import interruptible
from aiida_anial.runtime.remote_folders import clean

__all__ = (
    'Codes',
    'Reproduction',
    'Selection',
    'StepFailedError',
    'check_single',
    'codes_of',
    'reproduce',
    'run_again',
    'select',
)


@dataclass(frozen=True)
class Selection:
    """The steps to run again, and those left out.

    :param chosen: steps in the order in which they run.
    :param left_out: the other steps, each with the reason as part of a sentence.
    """

    chosen: tuple[Any, ...]
    left_out: tuple[tuple[Any, str], ...]


def select(steps: Iterable[Any], *, kinds: Sequence[StepKind] = (), budget_s: float | None = None) -> Selection:
    """Choose steps in rounds: one of every process, the cheapest process first; then a second one of each, and so on.

    In this way, a small budget covers every kind of step. The order of the graph would spend it on the first labels,
    and the order of cost on calcfunctions. A step that exceeds the budget is left out; cheaper ones may follow.

    :param kinds: kinds to choose from; empty means all.
    :param budget_s: limit for the summed run time of the originals, in s; None means no limit.
    """
    left_out: list[tuple[Any, str]] = []
    by_process: dict[str, list[tuple[float, Any]]] = defaultdict(list)
    for step in steps:
        if kinds and kind_of(step) not in kinds:
            continue
        if (reason := obstacle(step)) is not None:
            left_out.append((step, reason))
        else:
            by_process[step.process_label].append((seconds_of(step), step))
    chosen, spent = [], 0.0
    for seconds, step in _in_rounds(by_process.values()):
        if budget_s is not None and spent + seconds > budget_s:
            left_out.append((step, 'it exceeds the budget'))
            continue
        spent += seconds
        chosen.append(step)
    return Selection(tuple(chosen), tuple(left_out))


def _in_rounds(groups: Iterable[list[tuple[float, Any]]]) -> list[tuple[float, Any]]:
    """Return the steps sorted by their position in their group, then by the mean cost of the group."""
    ordered = sorted(groups, key=lambda group: sum(seconds for seconds, _ in group) / len(group))
    rounds = range(max((len(group) for group in ordered), default=0))
    return [group[place] for place in rounds for group in ordered if place < len(group)]


def check_single(step: Any) -> None:
    """Refuse a step that cannot run again on its own.

    :raises AnialError: if it only calls other steps, has not ended, or failed.
    """
    if (reason := obstacle(step)) is not None:
        raise AnialError(f'PK: {describe(step)} cannot be reproduced: {reason}.')
    if kind_of(step) == StepKind.ORCHESTRATION:
        raise AnialError(f'PK: {describe(step)} only calls other steps; give --recursive to run each of them again.')


class StepFailedError(AnialError):
    """A step that succeeded originally could not be run again."""


@dataclass(frozen=True)
class Codes:
    """Codes that replace those of the originals.

    :param pw: code of ``pw.x``.
    :param worker: code of ``anial-worker``.
    """

    pw: orm.AbstractCode | None = None
    worker: orm.AbstractCode | None = None

    def instead_of(self, step: Any) -> orm.AbstractCode | None:
        """Return the code that replaces that of ``step``, or None."""
        return self.pw if kind_of(step) == StepKind.DFT else self.worker


def codes_of(steps: Iterable[Any], codes: Codes) -> list[tuple[orm.AbstractCode, Any]]:
    """Return the codes that the steps will run with, each with the first step that needs it."""
    found: dict[str, tuple[orm.AbstractCode, Any]] = {}
    for step in steps:
        inputs = [link.node for link in step.base.links.get_incoming(link_type=INPUT_LINKS).all()]
        for code in [codes.instead_of(step) or node for node in inputs if isinstance(node, orm.AbstractCode)]:
            found.setdefault(code.uuid, (code, step))
    return list(found.values())


@dataclass(frozen=True)
class Reproduction:
    """A step, its repetition, and their comparison.

    :param again: the repetition; None if it could not be run.
    """

    original: Any
    again: Any | None
    records: tuple[Record, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all records."""
        verdicts = (record.verdict for record in self.records)
        return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.IDENTICAL)

    def to_dict(self) -> dict[str, Any]:
        """Return the reproduction as plain values for JSON; times in s."""
        again = self.again
        return {
            'process': self.original.process_label,
            'kind': kind_of(self.original),
            'verdict': self.verdict,
            'original': {
                'pk': self.original.pk,
                'uuid': self.original.uuid,
                'seconds': seconds_of(self.original),
            },
            'again': None if again is None else {'pk': again.pk, 'uuid': again.uuid, 'seconds': seconds_of(again)},
            'records': [record.to_dict() for record in self.records],
        }


def reproduce(original: Any, codes: Codes) -> Reproduction:
    """Run a step again and compare it with the original.

    :param original: a step for which ``obstacle`` returns None.
    """
    try:
        again = run_again(original, codes)
    except StepFailedError as exception:
        return Reproduction(original, None, (Record('', 'end', False, Verdict.FAILED, note=str(exception)),))
    return Reproduction(original, again, tuple(compare(original, again)))


def run_again(original: Any, codes: Codes) -> Any:
    """Run a step again without changing the original, and return the new process.

    Nothing comes from the cache. The new process, its descendants and their outputs carry the UUID of the original in
    the extra ``reproduces``, and its work directory is cleaned if that of the original is.

    :raises StepFailedError: if its inputs are now refused, or it raises an exception.
    :raises KeyboardInterrupt: if it is interrupted; its jobs have been killed then.
    """
    try:
        process, inputs = original.process_class, _inputs(original, codes.instead_of(original))
    except ValueError as exception:
        raise StepFailedError(f'its process cannot be loaded: {_sentence(exception)}') from exception
    try:
        with interruptible():
            _, again = without_cache(lambda: run_get_node(process, **inputs))
    except KeyboardInterrupt:
        _mark_interrupted(original)
        raise
    except Exception as exception:  # whatever a calcfunction raises
        raise StepFailedError(f'it stopped on {type(exception).__name__}: {_sentence(exception)}') from exception
    _mark(original, again)
    _clean(original, again)
    return again


def _sentence(exception: Exception) -> str:
    return ' '.join(str(exception).split())


def _inputs(original: Any, code: orm.AbstractCode | None) -> dict[str, Any]:
    """Return the stored inputs of a process, with the options with which it ran."""
    inputs = original.base.links.get_incoming(link_type=INPUT_LINKS).nested()
    # Set for a job that only parsed files already in a folder; these have been cleaned, so the program runs again.
    inputs.pop('remote_folder', None)
    orm.ProcessNode.recursive_merge(inputs, deepcopy(original.get_metadata_inputs() or {}))
    inputs = _adapted(inputs, code)
    inputs.setdefault('metadata', {}).update(label=_label(original), disable_cache=True)
    return inputs


def _adapted(inputs: Mapping[str, Any], code: orm.AbstractCode | None) -> dict[str, Any]:
    """Return the inputs with another code, and with caching disabled for every job."""
    adapted: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            adapted[name] = _adapted(value, code) if name != 'metadata' else dict(value)
        else:
            adapted[name] = code if isinstance(value, orm.AbstractCode) and code is not None else value
    # The inputs of a job, or the namespace of a work chain with the inputs of its jobs.
    if 'code' in adapted:
        adapted.setdefault('metadata', {})['disable_cache'] = True
    # Only a calling work chain may set the label of the call link.
    if 'metadata' in adapted:
        adapted['metadata'].pop('call_link_label', None)
    return adapted


def _mark(original: Any, again: Any) -> None:
    """Mark a repetition, so that queries leave it out."""
    for process in (again, *again.called_descendants):
        made = process.base.links.get_outgoing(link_type=LinkType.CREATE).all_nodes()
        for node in (process, *made):
            node.base.extras.set(REPRODUCES, original.uuid)


def _mark_interrupted(original: Any) -> None:
    """Mark the repetitions of a step that nothing has compared with it."""
    filters = {'label': _label(original), 'extras': {'!has_key': REPRODUCES}}
    for again in orm.QueryBuilder().append(orm.ProcessNode, filters=filters).all(flat=True):
        _mark(original, again)


def _label(original: Any) -> str:
    return f'again {describe(original)}'


def _clean(original: Any, again: Any) -> None:
    """Clean the work directory of a job if that of the original is."""
    if 'remote_folder' in original.outputs and 'remote_folder' in again.outputs:
        folder = again.outputs.remote_folder
        if original.outputs.remote_folder.is_cleaned and not folder.is_cleaned:
            clean(folder)
