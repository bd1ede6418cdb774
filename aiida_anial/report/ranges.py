"""Count labels and find the ranges of their main quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ('label_counts', 'label_ranges')

_RANGES = (
    ('n_atoms', 'atoms', '', 0),
    ('density_g_per_cm3', 'density', 'g/cm³', 3),
    ('energy_per_atom_ev', 'energy per atom', 'eV', 4),
    ('max_force_ev_per_angstrom', 'largest force on an atom', 'eV/Å', 3),
    ('pressure_gpa', 'pressure', 'GPa', 2),
)


def label_counts(labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count labels and atoms by iteration and origin.

    :param labels: records of the kind ``labels``.
    """
    groups: dict[tuple[int, str], list[int]] = {}
    for label in labels:
        groups.setdefault((label['iteration'], label['origin']), []).append(label['n_atoms'])
    return [
        {'iteration': iteration, 'origin': origin, 'n_labels': len(atoms), 'n_atoms': sum(atoms)}
        for (iteration, origin), atoms in sorted(groups.items())
    ]


def label_ranges(labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the smallest and largest value of the main quantities, each with ``name``, ``unit`` and ``digits``.

    :param labels: records of the kind ``labels``, at least one.
    """
    return [
        {
            'name': name,
            'unit': unit,
            'digits': digits,
            'low': min(label[key] for label in labels),
            'high': max(label[key] for label in labels),
        }
        for key, name, unit, digits in _RANGES
    ]
