"""Tables of campaigns, records and comparisons for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aiida_anial.properties.registry import keyed_columns
from aiida_anial.queries.columns import Kind
from aiida_anial.reproduction.verdicts import Record, Verdict

__all__ = ('campaign_line', 'duration', 'pace_lines', 'print_campaign', 'print_records', 'print_reproductions')

# Thresholds are shown as errors if the disagreement is calibrated.
_THRESHOLD: Final = 'threshold_ev_per_sqrt_atom'
_CLAIMS: Final = ('threshold_energy_error_mev_per_atom', 'threshold_force_error_ev_per_angstrom')
_DUPLICATES: Final = 'n_duplicates'

# Heading, key of the record, digits after the decimal point.
_ITERATION_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ('iteration', 'index', 0),
    ('state', 'process_state', 0),
    ('threshold\neV/√atom', _THRESHOLD, 4),
    ('stop at\nmeV/atom', _CLAIMS[0], 1),
    ('stop at\neV/Å', _CLAIMS[1], 3),
    ('traject-\nories', 'n_trajectories', 0),
    ('stopped', 'n_stopped', 0),
    ('dupli-\ncates', _DUPLICATES, 0),
    ('median\ntime ps', 'median_time_ps', 2),
    ('labels', 'n_labels', 0),
    ('rejected', 'n_rejected', 0),
    ('fresh E\nmeV/atom', 'fresh_energy_rmse_mev_per_atom', 1),
    ('fresh F\neV/Å', 'fresh_force_rmse_ev_per_angstrom', 3),
    ('test E\nmeV/atom', 'test_energy_rmse_mev_per_atom', 1),
    ('test F\neV/Å', 'test_force_rmse_ev_per_angstrom', 3),
)

_PROPERTY_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ('iteration', 'iteration', 0),
    *((column.heading, column.key, column.digits) for _, column in keyed_columns() if column.in_status),
)


def print_campaign(status: dict[str, Any]) -> None:
    """Print a campaign, one row per iteration."""
    table = Table(title=campaign_line(status), title_justify='left')
    is_calibrated = any(row[key] is not None for row in status['iterations'] for key in _CLAIMS)
    left_out = {_THRESHOLD} if is_calibrated else {*_CLAIMS}
    if not any(row[_DUPLICATES] for row in status['iterations']):
        left_out.add(_DUPLICATES)
    columns = [column for column in _ITERATION_COLUMNS if column[1] not in left_out]
    for heading, _, _ in columns:
        table.add_column(heading, justify='right', no_wrap=True)
    for row in status['iterations']:
        table.add_row(*(_cell(row[key], digits) for _, key, digits in columns))
    # A narrow terminal would wrap the table, and a pipe has no width: keep all columns on one line.
    console = Console(width=max(Console().width, 140))
    console.print(table)
    for row in status['paused']:
        name = f'{row["process_label"]}<{row["pk"]}>'
        text = f'{name} is paused: {row["reason"]}. Once that is fixed, run: {row["command"]}'
        # Brackets in a reason are not markup.
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    energy, force = (status[f'final_test_{key}'] for key in ('energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom'))
    if energy is not None:
        console.print(f'Last ensemble, test blocks: {energy:.1f} meV/atom, {force:.3f} eV/Å (root mean square).')
    for line in pace_lines(status['pace']):
        console.print(line, highlight=False, soft_wrap=True)
    _print_properties(console, status)


def pace_lines(pace: Mapping[str, Any]) -> list[str]:
    """Return in words how fast a campaign is, and where its time went."""
    if pace['labels_per_hour'] is None:
        return []
    first = f'{duration(pace["elapsed_s"])}, {pace["labels_per_hour"]:.0f} labels an hour'
    if pace['expected_end'] is not None:
        end = datetime.fromisoformat(pace['expected_end']).astimezone()
        first += f'; all iterations are done by about {end:%Y-%m-%d %H:%M}'
    shares = sorted(pace['time_shares'].items(), key=lambda item: -item[1])
    cores = pace['cores_busy']
    return [
        f'{first}.',
        f'Time: {", ".join(f"{kind} {share:.0%}" for kind, share in shares)}; two cores or more were busy '
        f'{cores["two_or_more"]:.0%} of it, one {cores["one"]:.0%}.',
    ]


def duration(seconds: float) -> str:
    """Return a duration as hours and minutes."""
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min' if minutes >= 60 else f'{minutes} min'


def _print_properties(console: Console, status: dict[str, Any]) -> None:
    """Print the results of the benchmarks of a campaign, one row per ensemble."""
    if not status['properties']:
        return
    table = Table(title='Properties of the ensembles', title_justify='left')
    for heading, _, _ in _PROPERTY_COLUMNS:
        table.add_column(heading, justify='right', no_wrap=True)
    for row in status['properties']:
        table.add_row(*(_cell(row[key], digits) for _, key, digits in _PROPERTY_COLUMNS))
    console.print(table)


def print_records(kind: Kind, rows: list[dict[str, Any]]) -> None:
    """Print the records of a query, one row each."""
    columns = [column for column in kind.columns if column.heading]
    table = Table(
        title=f'{len(rows)} {kind.name if len(rows) != 1 else kind.name.removesuffix("s")}', title_justify='left'
    )
    for column in columns:
        table.add_column(column.heading, justify='left' if column.type == 'str' else 'right', no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[column.name], column.digits) for column in columns))
    Console(width=max(Console().width, 130)).print(table)


def campaign_line(status: dict[str, Any]) -> str:
    """Return a summary of the campaign in one line."""
    line = f'Campaign {status["pk"]}: {status["process_state"]}'
    if status['exit_status'] is not None:
        line += f' [{status["exit_status"]}]'
    if status['verdict']:
        line += f', {status["verdict"]}'
    before = f' ({status["n_labels_taken_over"]} reused)' if status['n_labels_taken_over'] else ''
    line += f', {status["n_labels"]} labels{before}, {status["n_rejected"]} rejected'
    return f'{line}. {status["exit_message"]}' if status['exit_message'] else line


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{value:.{digits}f}' if isinstance(value, float) else str(value)


_RECORD_COLUMNS = ('output', 'quantity', 'deviation', 'tolerance', 'unit', 'verdict', 'note')
_MANY = 20
_RIGHT = ('deviation', 'tolerance', 'original', 'again', 'identical')

# A campaign has many steps: one row each, and details only of those that are not identical.
_STEPS = ('process', 'original', 'again', 'identical', 'worst deviation', 'verdict')


def print_reproductions(results: Sequence[Any], left_out: Sequence[tuple[Any, str]]) -> None:
    """Print one comparison in full, or a row per step and then every output that is not identical."""
    # A narrow terminal would wrap the table, and a pipe has no width: keep all columns on one line.
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


def _print_records(console: Console, result: Any, records: Iterable[Record]) -> None:
    table = _table(escape(_title(result)), _RECORD_COLUMNS)
    for record in records:
        table.add_row(
            *map(escape, (record.output, record.quantity, _number(record.deviation), _number(record.tolerance))),
            *map(escape, (record.unit, str(record.verdict), record.note)),
        )
    console.print(table)


def _print_steps(console: Console, results: Iterable[Any]) -> None:
    """Print one row per step."""
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
    """Return the deviation of the record with the worst verdict, and among those the largest deviation."""
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
