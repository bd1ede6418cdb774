"""Comparisons as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aiida_anial.reproduction.records import Record, Verdict

__all__ = ('print_reproductions',)

_COLUMNS = ('output', 'quantity', 'deviation', 'tolerance', 'unit', 'verdict', 'note')
_MANY = 20
_RIGHT = ('deviation', 'tolerance', 'original', 'again', 'identical')

# Steps of a campaign are many: each is told in full only where there is something to tell.
_STEPS = ('process', 'original', 'again', 'identical', 'worst deviation', 'verdict')


def print_reproductions(results: Sequence[Any], left_out: Sequence[tuple[Any, str]]) -> None:
    """Print one comparison, or many by step; all that is not identical in full."""
    # A narrow terminal wraps lines, and a pipe has no width: the table keeps all its columns there.
    console = Console(width=max(Console().width, 140))
    if len(results) == 1:
        _print_records(console, results[0], _condensed(results[0].records))
    else:
        _print_steps(console, results)
        for result in results:
            if changed := [record for record in result.records if record.verdict != Verdict.IDENTICAL]:
                _print_records(console, result, changed)
    for reason, number in Counter(reason for _, reason in left_out).items():
        console.print(f'{number} left out: {escape(reason)}.', highlight=False)
    found = Counter(result.verdict for result in results)
    console.print(', '.join(f'{found[verdict]} {verdict}' for verdict in Verdict if verdict in found) + '.')


def _title(result: Any) -> str:
    again = f'{result.again.process_label}<{result.again.pk}>' if result.again is not None else 'nothing'
    return f'{result.original.process_label}<{result.original.pk}> again as {again}: {result.verdict}'


def _condensed(records: Iterable[Record]) -> list[Record]:
    """Return the records, one for an output with many of which all are identical: a shard has a label for each row."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.output.split('.')[0], []).append(record)
    condensed: list[Record] = []
    for output, group in groups.items():
        if len(group) > _MANY and all(record.verdict == Verdict.IDENTICAL for record in group):
            condensed.append(Record(output, f'{len(group)} quantities', True, Verdict.IDENTICAL, tolerance=0.0))
        else:
            condensed.extend(group)
    return condensed


def _print_records(console: Console, result: Any, records: Iterable[Record]) -> None:
    table = _table(escape(_title(result)), _COLUMNS)
    for record in records:
        table.add_row(
            *map(escape, (record.output, record.quantity, _number(record.deviation), _number(record.tolerance))),
            *map(escape, (record.unit, str(record.verdict), record.note)),
        )
    console.print(table)


def _print_steps(console: Console, results: Iterable[Any]) -> None:
    """Print a row a step."""
    table = _table('', _STEPS)
    for result in results:
        identical = sum(record.identical for record in result.records)
        again = str(result.again.pk) if result.again is not None else '-'
        table.add_row(
            escape(result.original.process_label),
            str(result.original.pk),
            again,
            f'{identical} of {len(result.records)}',
            escape(_worst(result.records)),
            str(result.verdict),
        )
    console.print(table)


def _worst(records: Iterable[Record]) -> str:
    """Return the largest deviation beside its tolerance, of the worst record that has one."""
    measured = [record for record in records if record.deviation]
    if not measured:
        return ''
    worst = max(measured, key=lambda record: (record.verdict.rank, record.deviation or 0.0))
    return f'{_number(worst.deviation)} {worst.unit} ({worst.output} {worst.quantity})'


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title or None, title_justify='left')
    for name in columns:
        table.add_column(name, justify='right' if name in _RIGHT else 'left', overflow='fold')
    return table


def _number(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.2g}' if value else '0'
