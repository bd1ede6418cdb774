"""The comparison of steps that ran again, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from aiida_anial.cli.tables import Heading, new_console, print_table
from aiida_anial.reproduction.verdicts import Record, Verdict

__all__ = ('print_reproductions',)

# Nothing is cut that a verdict needs.
_text: Final = partial(Heading, is_text=True, longest=1000)
# A campaign has many steps: one row each, and details only of those that are not identical.
_STEPS: Final = (
    _text('process', 'process'),
    Heading('original', 'original'),
    Heading('again', 'again', rank=2),
    Heading('identical', 'identical', rank=1),
    _text('worst deviation', 'worst', rank=3),
    _text('verdict', 'verdict'),
)
_RECORDS: Final = (
    _text('output', 'output'),
    _text('quantity', 'quantity'),
    Heading('deviation', 'deviation'),
    Heading('tolerance', 'tolerance', rank=1),
    _text('unit', 'unit'),
    _text('verdict', 'verdict'),
    _text('note', 'note', rank=2),
)
_MANY: Final = 20


def print_reproductions(results: Sequence[Any], left_out: Sequence[tuple[Any, str]], *, wide: bool) -> None:
    """Print one comparison in full, or a row per step and then every output that is not identical.

    :param wide: show all columns, whatever the width of the terminal.
    """
    console = new_console()
    if len(results) == 1:
        _print_records(results[0], _condensed(results[0].records), wide=wide)
    else:
        print_table('', _STEPS, [_step(result) for result in results], wide=wide)
        for result in results:
            if changed := [record for record in result.records if record.verdict != Verdict.IDENTICAL]:
                _print_records(result, changed, wide=wide)
    for reason, number in Counter(reason for _, reason in left_out).items():
        console.print(f'{number} left out: {reason}.', highlight=False, markup=False)
    found = Counter(result.verdict for result in results)
    console.print(', '.join(f'{found[verdict]} {verdict}' for verdict in Verdict if verdict in found) + '.')


def _title(result: Any) -> str:
    again = f'{result.again.process_label}<{result.again.pk}>' if result.again is not None else 'nothing'
    return f'{result.original.process_label}<{result.original.pk}> again as {again}: {result.verdict}'


def _condensed(records: Iterable[Record]) -> list[Record]:
    """Return the records, with many identical ones of one output replaced by a summary.

    A shard alone has a record for each of its labels.
    """
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


def _print_records(result: Any, records: Iterable[Record], *, wide: bool) -> None:
    rows = [
        {
            'output': record.output,
            'quantity': record.quantity,
            'deviation': _number(record.deviation),
            'tolerance': _number(record.tolerance),
            'unit': record.unit,
            'verdict': str(record.verdict),
            'note': record.note,
        }
        for record in records
    ]
    print_table(_title(result), _RECORDS, rows, wide=wide)


def _step(result: Any) -> dict[str, Any]:
    """Return the row of one step."""
    return {
        'process': result.original.process_label,
        'original': result.original.pk,
        'again': result.again.pk if result.again is not None else None,
        'identical': f'{sum(record.identical for record in result.records)} of {len(result.records)}',
        'worst': _worst(result.records),
        'verdict': str(result.verdict),
    }


def _worst(records: Iterable[Record]) -> str:
    """Return the deviation of the record with the worst verdict, and among those the largest deviation."""
    measured = [record for record in records if record.deviation]
    if not measured:
        return ''
    worst = max(measured, key=lambda record: (record.verdict.rank, record.deviation or 0.0))
    return f'{_number(worst.deviation)} {worst.unit} ({worst.output} {worst.quantity})'


def _number(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.2g}' if value else '0'
