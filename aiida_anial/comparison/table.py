"""What the subjects and the literature say, number by number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiida_anial.common.errors import AnialError
from aiida_anial.comparison.deviations import deviations
from aiida_anial.comparison.references import Reference, references
from aiida_anial.comparison.subject import Subject, property_names
from aiida_anial.properties.quantity import Quantity

__all__ = ('Row', 'comparison_table')

_Found = dict[str, dict[str, Quantity]]


@dataclass(frozen=True)
class Row:
    """One quantity of one property.

    :param property_name: such as ``elastic``.
    :param quantity: such as ``c11``.
    :param unit: of all numbers of the row.
    :param values: by subject; those that do not have the quantity are left out.
    :param references: from the literature, in the order of its file.
    """

    property_name: str
    quantity: str
    unit: str
    values: Mapping[str, Quantity]
    references: tuple[Reference, ...]


def comparison_table(subjects: Sequence[Subject], *, reference: Subject | None = None) -> list[Row]:
    """Return a row for every quantity that any of the subjects has: properties in the order of the benchmark.

    :param subjects: with names that differ.
    :param reference: the subject that the curves of the others are compared with; without it there are no rows of
        deviations.
    :raises AnialError: if two subjects have one name, or a quantity has two units.
    """
    names = [subject.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise AnialError(f'{name}: two potentials that are compared have this name.')
    found = {subject.name: _quantities(subject, reference) for subject in subjects}
    rows = []
    for name in property_names(subjects):
        of_property = {subject: quantities.get(name, {}) for subject, quantities in found.items()}
        keys = dict.fromkeys(key for quantities in of_property.values() for key in quantities)
        rows += [_row(name, key, of_property) for key in sorted(keys, key=_natural)]
    return rows


def _quantities(subject: Subject, reference: Subject | None) -> _Found:
    """Return the quantities of one subject by property, deviations included."""
    compared = deviations(subject, reference) if reference is not None and reference.name != subject.name else {}
    return {name: {**result.quantities, **compared.get(name, {})} for name, result in subject.results.items()}


def _row(name: str, key: str, quantities: _Found) -> Row:
    """Return one row.

    :param quantities: of the property, by subject.
    """
    values = {subject: of_subject[key] for subject, of_subject in quantities.items() if key in of_subject}
    known = references(name, key)
    units = {one.unit for one in values.values()} | {one.value.unit for one in known}
    if len(units) > 1:
        raise AnialError(f'{name}.{key}: the units {" and ".join(sorted(units))} cannot be compared.')
    return Row(name, key, units.pop(), values, known)


def _natural(key: str) -> list[tuple[bool, int, str]]:
    """Return what sorts names as a reader would: 32 before 108, and 0_005 before 0_01, which are decimals."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() and not part.startswith('0') else 0, part)
        for part in re.split(r'(\d+)', key)
    ]
