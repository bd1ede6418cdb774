"""Which steps run again within a budget, and what became of each."""

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
    """What runs again and what does not.

    :param chosen: the steps, in the order in which they run.
    :param left_out: the others, each with the reason in half a sentence.
    """

    chosen: tuple[Any, ...]
    left_out: tuple[tuple[Any, str], ...]


def select(steps: Iterable[Any], *, kinds: Sequence[StepKind] = (), budget_s: float | None = None) -> Selection:
    """Choose steps: the first of every process, the cheapest process first; then the second of each, and so on.

    So a small budget still touches every kind of step, where the order of the graph would spend it on the first labels
    and the order of the costs on calcfunctions alone. A step that no longer fits is left out; cheaper ones may follow.

    :param kinds: those to choose from; none: all.
    :param budget_s: what the originals may have taken together, in s; None: no limit.
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
            left_out.append((step, 'the budget has no room for it'))
            continue
        spent += seconds
        chosen.append(step)
    return Selection(tuple(chosen), tuple(left_out))


def _in_rounds(groups: Iterable[list[tuple[float, Any]]]) -> list[tuple[float, Any]]:
    """Return the steps by their place in their group, and then by the mean cost of the group."""
    ordered = sorted(groups, key=lambda group: sum(seconds for seconds, _ in group) / len(group))
    rounds = range(max((len(group) for group in ordered), default=0))
    return [group[place] for place in rounds for group in ordered if place < len(group)]


@dataclass(frozen=True)
class Reproduction:
    """A step, the same step run again, and how they compare.

    :param again: None if it could not be run at all.
    """

    original: Any
    again: Any | None
    records: tuple[Record, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all records."""
        verdicts = (record.verdict for record in self.records)
        return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.IDENTICAL)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON knows; times in s."""
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
    """Refuse a step that cannot run again by itself.

    :raises AnialError: if it only calls others, has not ended, or did not end well.
    """
    if (reason := obstacle(step)) is not None:
        raise AnialError(f'PK: {describe(step)} cannot be reproduced: {reason}.')
    if kind_of(step) == StepKind.ORCHESTRATION:
        raise AnialError(f'PK: {describe(step)} only calls other steps; give --recursive to run each of them again.')


def reproduce(original: Any, codes: Codes) -> Reproduction:
    """Run a step again and compare it with the original.

    :param original: a step for which ``obstacle`` finds nothing.
    """
    try:
        again = run_again(original, codes)
    except StepFailedError as exception:
        return Reproduction(original, None, (Record('', 'end', False, Verdict.FAILED, note=str(exception)),))
    return Reproduction(original, again, tuple(compare(original, again)))
