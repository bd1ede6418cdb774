"""Counts and ranges of the labels, and the reasons why others were set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ('label_counts', 'label_ranges', 'reason_counts')

_RANGES = (
    ('n_atoms', 'atoms', '', 0),
    ('density_g_per_cm3', 'density', 'g/cm³', 3),
    ('energy_per_atom_ev', 'energy per atom', 'eV', 4),
    ('max_force_ev_per_angstrom', 'largest force on an atom', 'eV/Å', 3),
    ('pressure_gpa', 'pressure', 'GPa', 2),
)
_NUMBER = re.compile(r'\d+(\.\d+)?(e[+-]?\d+)?')


def label_counts(labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return how many labels and atoms there are, by iteration and origin.

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
    """Return least and largest value of what labels are found by, each with ``name``, ``unit`` and ``digits``.

    :param labels: records of the kind ``labels``, one at least.
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


def reason_counts(reasons: Iterable[str]) -> dict[str, int]:
    """Return how often each reason was given, the most frequent first.

    Reasons that differ in their numbers alone are one, with an ellipsis in the place of each number that differs.
    """
    texts = list(reasons)
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(_NUMBER.sub('', text), []).append(text)
    counts = {_common(same): len(same) for same in groups.values()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _common(texts: Sequence[str]) -> str:
    """Return the one text that all of these are, but for their numbers."""
    numbers = zip(*([found[0] for found in _NUMBER.finditer(text)] for text in texts), strict=True)
    shown = iter([same[0] if len(set(same)) == 1 else '…' for same in numbers])
    return _NUMBER.sub(lambda _: next(shown), texts[0])
