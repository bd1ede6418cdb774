"""What analyses share: the spread over the members, and whether relaxations converged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.property import Evaluation, Quantity

__all__ = ('from_energies', 'relative_energies', 'unconverged_notes')

Energies = NDArray[np.float64]


def from_energies(evaluations: Sequence[Evaluation], analysis: Callable[[Energies], float], unit: str) -> Quantity:
    """Return what ``analysis`` makes of the energies, with its standard deviation over the members.

    :param evaluations: T of them.
    :param analysis: from total energies ``[T]`` in eV, in the order of ``evaluations``, to a number in ``unit``; a
        member for which it fails with ``ValueError`` or ``RuntimeError`` is left out.
    """
    value = float(analysis(np.array([one.energy for one in evaluations])))
    members = _member_energies(evaluations)
    if members is None:
        return Quantity(value, unit)
    found = [_try(analysis, energies) for energies in members]
    sound = np.array([number for number in found if np.isfinite(number)])
    return Quantity(value, unit, float(sound.std(ddof=1)) if len(sound) > 1 else None)


def relative_energies(evaluations: Sequence[Evaluation], reference: Evaluation) -> tuple[Energies, Energies]:
    """Return energies ``[T]`` above that of ``reference``, and how far the members disagree on them, in eV/atom.

    The disagreement is the standard deviation over the members of the difference, 0 without members: what is common to
    both structures cancels.
    """
    energies = np.array([one.energy_per_atom - reference.energy_per_atom for one in evaluations])
    members = _member_energies([*evaluations, reference])
    if members is None or len(members) < 2:
        return energies, np.zeros(len(energies))
    per_atom = members / np.array([len(one.atoms) for one in (*evaluations, reference)])
    return energies, (per_atom[:, :-1] - per_atom[:, -1:]).std(axis=0, ddof=1)


def _member_energies(evaluations: Sequence[Evaluation]) -> Energies | None:
    """Return ``[M, T]`` in eV, or None where an evaluation has none."""
    rows = [one.member_energies for one in evaluations]
    return None if any(row is None for row in rows) else np.array(rows, dtype=np.float64).T


def _try(analysis: Callable[[Energies], Any], energies: Energies) -> float:
    try:
        return float(analysis(energies))
    except (ValueError, RuntimeError):
        return float('nan')


def unconverged_notes(evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    """Return a sentence for each task whose relaxation did not converge."""
    return tuple(
        f'The relaxation of {name} did not converge.' for name, one in evaluations.items() if not one.converged
    )
