"""The result of one comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ('Record', 'Verdict')


class Verdict(StrEnum):
    """What a comparison found, from good to bad."""

    IDENTICAL = 'identical'
    WITHIN = 'within tolerance'
    OTHER_VERSION = 'other version'
    OTHER_MACHINE = 'other machine'
    FAILED = 'failed'

    @property
    def is_fine(self) -> bool:
        """Whether the step kept what it promises."""
        return self is not Verdict.FAILED

    @property
    def rank(self) -> int:
        """The place from good to bad."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Record:
    """One quantity of one output, the first time and again.

    :param output: label of its link, with dots between namespaces; empty: the step itself.
    :param identical: whether it has the same bits.
    :param deviation: the largest absolute one, in ``unit``; None where it cannot be measured, as for text.
    :param tolerance: the largest deviation that the kind of step promises; None where none is promised.
    :param note: what there is to add, in half a sentence.
    """

    output: str
    quantity: str
    identical: bool
    verdict: Verdict
    deviation: float | None = None
    unit: str = ''
    tolerance: float | None = None
    note: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON knows."""
        return asdict(self)
