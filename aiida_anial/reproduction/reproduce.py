"""Steps run again, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida_anial.common.errors import AnialError
from aiida_anial.reproduction.comparison import compare
from aiida_anial.reproduction.kinds import StepKind, kind_of
from aiida_anial.reproduction.records import Record, Verdict
from aiida_anial.reproduction.running import Codes, StepFailedError, run_again
from aiida_anial.reproduction.steps import describe, obstacle, seconds_of

__all__ = ('Reproduction', 'check_single', 'reproduce')


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
