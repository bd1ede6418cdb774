"""The result of a property: quantities and curves, with the disagreement of the members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.evaluation import Evaluation

__all__ = ('PropertyResult', 'from_energies', 'relative_energies', 'unconverged_notes')

Energies = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PropertyResult:
    """The result of a property.

    :param quantities: quantities by name; those that cannot be determined are left out, and ``notes`` say why.
    :param curves: arrays by name; names end in the unit, and those of arrays of one curve share a prefix.
    :param notes: sentences that readers of the numbers need to know.
    """

    quantities: Mapping[str, Quantity]
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def from_energies(evaluations: Sequence[Evaluation], analysis: Callable[[Energies], float], unit: str) -> Quantity:
    """Apply ``analysis`` to the energies, and return the result with its standard deviation over the members.

    :param evaluations: T evaluations.
    :param analysis: function from total energies ``[T]`` in eV, in the order of ``evaluations``, to a number in
        ``unit``; members for which it raises ``ValueError`` or ``RuntimeError`` are left out.
    :param unit: unit of the result.
    """
    value = float(analysis(np.array([one.energy for one in evaluations])))
    members = _member_energies(evaluations)
    if members is None:
        return Quantity(value, unit)
    found = [_try(analysis, energies) for energies in members]
    sound = np.array([number for number in found if np.isfinite(number)])
    return Quantity(value, unit, float(sound.std(ddof=1)) if len(sound) > 1 else None)


def relative_energies(evaluations: Sequence[Evaluation], reference: Evaluation) -> tuple[Energies, Energies]:
    """Return the energies ``[T]`` above that of ``reference``, and the disagreement of members on them, in eV/atom.

    The disagreement is the standard deviation over the members of the difference, in which common errors cancel; it is
    0 without members.
    """
    energies = np.array([one.energy_per_atom - reference.energy_per_atom for one in evaluations])
    members = _member_energies([*evaluations, reference])
    if members is None or len(members) < 2:
        return energies, np.zeros(len(energies))
    per_atom = members / np.array([len(one.atoms) for one in (*evaluations, reference)])
    return energies, (per_atom[:, :-1] - per_atom[:, -1:]).std(axis=0, ddof=1)


def _member_energies(evaluations: Sequence[Evaluation]) -> Energies | None:
    """Return the energies of members ``[M, T]`` in eV, or None if an evaluation has none."""
    rows = [one.member_energies for one in evaluations]
    return None if any(row is None for row in rows) else np.array(rows, dtype=np.float64).T


def _try(analysis: Callable[[Energies], Any], energies: Energies) -> float:
    try:
        return float(analysis(energies))
    except (ValueError, RuntimeError):
        return float('nan')


def unconverged_notes(evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    """Return a note for each task whose relaxation did not converge."""
    return tuple(
        f'The relaxation of {name} did not converge.' for name, one in evaluations.items() if not one.converged
    )
