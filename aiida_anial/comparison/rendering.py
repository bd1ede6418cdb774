"""A comparison as text for a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from aiida_anial.comparison.references import Reference
from aiida_anial.comparison.table import Row
from aiida_anial.properties.quantity import Quantity

__all__ = ('comparison_csv', 'comparison_records', 'comparison_text', 'format_quantity')

# Digits behind the point of a number without an uncertainty, by unit.
_DIGITS = {
    '1': 3,
    'angstrom': 4,
    'angstrom3/atom': 3,
    'GPa': 1,
    'eV': 3,
    'meV': 0,
    'meV/atom': 1,
    'mJ/m2': 0,
    '%': 1,
    'THz': 2,
}
_DEFAULT_DIGITS = 3
_MISSING = '-'


def comparison_text(rows: Sequence[Row]) -> str:
    """Return a table for each property, a column each subject and each source of the literature that it needs.

    ``116.3(4)`` is 116.3 with an uncertainty of 0.4.
    """
    sections = dict.fromkeys(row.property_name for row in rows)
    return '\n\n'.join(_section(name, [row for row in rows if row.property_name == name]) for name in sections)


def comparison_csv(rows: Sequence[Row]) -> str:
    """Return a line for every number, with all its digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(('property', 'quantity', 'unit', 'source', 'kind', 'value', 'uncertainty', 'citation'))
    for row in rows:
        start = (row.property_name, row.quantity, row.unit)
        for subject, quantity in row.values.items():
            writer.writerow((*start, subject, 'computed', *_numbers(quantity), ''))
        for one in row.references:
            writer.writerow((*start, one.source, one.kind, *_numbers(one.value), one.citation))
    return buffer.getvalue()


def comparison_records(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Return ``{subject: {property: {quantity: {value, unit, uncertainty}}}}``, for JSON."""
    records: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in rows:
        for subject, quantity in row.values.items():
            of_property = records.setdefault(subject, {}).setdefault(row.property_name, {})
            of_property[row.quantity] = quantity.to_dict()
    return records


def format_quantity(quantity: Quantity) -> str:
    """Return the value to the digits that mean something, and its uncertainty in units of the last one.

    The uncertainty has one digit, or two if the first is a 1. Digits beyond two more than usual for the unit are noise,
    and an uncertainty down there is not shown.
    """
    if not math.isfinite(quantity.value):
        return _MISSING
    usual = _DIGITS.get(quantity.unit, _DEFAULT_DIGITS)
    uncertainty = quantity.uncertainty
    if uncertainty is not None and math.isfinite(uncertainty) and uncertainty > 0:
        # Rounded first: 0.0096 has one digit, 0.010.
        first, exponent = f'{uncertainty:.1e}'.split('e')
        digits = -int(exponent) + (1 if first.startswith('1') else 0)
        if digits <= usual + 2:
            digits = max(digits, 0)
            return f'{quantity.value:.{digits}f}({round(uncertainty * 10**digits)})'
    if quantity.unit == '1' and quantity.value.is_integer():
        return f'{quantity.value:.0f}'
    return f'{quantity.value:.{usual}f}'


def _section(name: str, rows: Sequence[Row]) -> str:
    """Return the table of one property."""
    subjects = dict.fromkeys(subject for row in rows for subject in row.values)
    sources = {one.source: one.label for row in rows for one in row.references}
    lines = [(name, '', *subjects, *sources.values())]
    for row in rows:
        by_source = {one.source: one for one in row.references}
        cells = [_cell(row.values.get(subject)) for subject in subjects]
        cells += [_cell(_value(by_source.get(source))) for source in sources]
        lines.append((row.quantity, row.unit if row.unit != '1' else '', *cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [_line(line, widths) for line in lines]
    return '\n'.join([texts[0], '-' * (sum(widths) + 2 * (len(widths) - 1)), *texts[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return names to the left and numbers to the right."""
    padded = [
        cell.ljust(width) if index < 2 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return '  '.join(padded).rstrip()


def _value(reference: Reference | None) -> Quantity | None:
    return None if reference is None else reference.value


def _cell(quantity: Quantity | None) -> str:
    return _MISSING if quantity is None else format_quantity(quantity)


def _numbers(quantity: Quantity) -> tuple[float | str, float | str]:
    """Return value and uncertainty, nothing for what is not finite."""
    record = quantity.to_dict()
    return tuple('' if record[key] is None else record[key] for key in ('value', 'uncertainty'))  # type: ignore[return-value]
