"""What has to be said of relaxations that did not end."""

from __future__ import annotations

from collections.abc import Mapping

from aiida_anial.properties.task import Evaluation

__all__ = ('unconverged_notes',)


def unconverged_notes(evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    """Return a sentence for each task whose relaxation did not converge."""
    return tuple(
        f'The relaxation of {name} did not converge.' for name, one in evaluations.items() if not one.converged
    )
