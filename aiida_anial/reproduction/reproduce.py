"""Select the steps to run again within a budget, run them, and compare the results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_anial.common.errors import AnialError
from aiida_anial.reproduction.comparison import compare
from aiida_anial.reproduction.records import Record, Verdict
from aiida_anial.reproduction.running import Codes, StepFailedError, run_again
from aiida_anial.reproduction.steps import StepKind, describe, kind_of, obstacle, seconds_of

__all__ = ('Reproduction', 'Selection', 'check_single', 'reproduce', 'select')


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


def check_single(step: Any) -> None:
    """Refuse a step that cannot run again on its own.

    :raises AnialError: if it only calls other steps, has not ended, or failed.
    """
    if (reason := obstacle(step)) is not None:
        raise AnialError(f'PK: {describe(step)} cannot be reproduced: {reason}.')
    if kind_of(step) == StepKind.ORCHESTRATION:
        raise AnialError(f'PK: {describe(step)} only calls other steps; give --recursive to run each of them again.')


def reproduce(original: Any, codes: Codes) -> Reproduction:
    """Run a step again and compare it with the original.

    :param original: a step for which ``obstacle`` returns None.
    """
    try:
        again = run_again(original, codes)
    except StepFailedError as exception:
        return Reproduction(original, None, (Record('', 'end', False, Verdict.FAILED, note=str(exception)),))
    return Reproduction(original, again, tuple(compare(original, again)))
