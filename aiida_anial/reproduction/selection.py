"""Which steps of many run again, within a budget of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_anial.reproduction.kinds import StepKind, kind_of
from aiida_anial.reproduction.steps import obstacle, seconds_of

__all__ = ('Selection', 'select')


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
