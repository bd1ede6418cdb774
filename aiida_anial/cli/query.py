"""``aiida-anial query``: one subcommand for each kind of records, with an option for each of its columns."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Any

import click

from aiida_anial.cli.completion import complete_campaigns, complete_columns, complete_sort
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import examples, print_json, refuse_together, wide_option
from aiida_anial.cli.profile import profile_option
from aiida_anial.common.errors import AnialError
from aiida_anial.queries.columns import Column, Kind, parse_condition
from aiida_anial.queries.kinds import KINDS

__all__ = ('command', 'filter_options', 'selection')

_METAVARS = {'int': 'INT|LOW..HIGH', 'float': 'LOW..HIGH', 'str': 'TEXT', 'bool': 'yes|no', 'date': 'DATE|LOW..HIGH'}
_PREFIX = 'where_'
# Longer than any text in a column.
_WHOLE = 1000
# Digits of numbers that the table shows only on request.
_DIGITS = 4
_EXAMPLES = {
    'labels': 'query labels --campaign 31 --density-g-per-cm3 2.6..2.8 --sort -energy_per_atom_ev --limit 10',
    'shards': 'query shards --campaign 31',
    'calculations': 'query calculations --exit-status 1.. --count',
    'trajectories': 'query trajectories --stop-reason close_contact,temperature --columns pk,stop_time_ps,n_atoms',
    'candidates': 'query candidates --campaign 31 --json',
    'ensembles': 'query ensembles --campaign 31 --test-force-rmse-ev-per-angstrom ..0.1',
    'benchmarks': 'query benchmarks --property elastic --c44-gpa 25..35',
    'campaigns': 'query campaigns --converged yes --created 2026-01-01..',
}


@click.group('query')
def command() -> None:
    """Find labels, trajectories, ensembles and more by their properties.

    A filter is a value, a list A,B,C, or a range LOW..HIGH with either end optional. Records must match all filters.
    """


def filter_options(kind: Kind) -> list[click.Option]:
    """Return the options that select records: ``--campaign``, and one for each column."""
    options = [
        click.Option(
            ['--campaign', 'campaigns'],
            multiple=True,
            help='Only this campaign (pk or UUID); repeatable.',
            shell_complete=complete_campaigns,
        )
    ]
    for column in kind.searchable:
        names = [_option(column), _PREFIX + column.name]
        options.append(click.Option(names, metavar=_METAVARS[column.type], help=column.help))
    return options


def _option(column: Column) -> str:
    return f'--{column.name.replace("_", "-")}'


def selection(kind: Kind, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the arguments ``where`` and ``campaigns`` of ``records``."""
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.queries.records import check_values

    where = {
        column.name: parse_condition(column, text, key=_option(column))
        for column in kind.searchable
        if (text := options[_PREFIX + column.name]) is not None
    }
    check_values(kind.name, where)
    campaigns = [load_campaign(identifier, '--campaign') for identifier in options['campaigns']]
    return {'where': where, 'campaigns': campaigns or None}


def _subcommand(kind: Kind) -> click.Command:
    def run(**options: Any) -> None:
        from aiida_anial.queries.records import count, records

        refuse_together(options, 'only_count', 'as_json', 'as_csv')
        refuse_together(options, 'only_count', 'columns')
        columns = _chosen(kind, options['columns'])
        chosen = selection(kind, options)
        if options['only_count']:
            click.echo(count(kind.name, **chosen))
            return
        names = [column.name for column in columns or kind.columns]
        rows = records(kind.name, **chosen, sort=options['sort'], limit=options['limit'], columns=names)
        with paged():
            if options['as_json']:
                print_json(rows)
            elif options['as_csv']:
                _print_csv(names, rows)
            else:
                _print_table(kind, rows, columns, wide=options['wide'])

    made: click.Command = profile_option()(
        click.Command(
            kind.name,
            callback=run,
            epilog=examples(_EXAMPLES[kind.name]),
            help=f'{kind.help} The table shows some of the columns, --json and --csv give all; --columns chooses.',
            params=[
                *filter_options(kind),
                click.Option(
                    ['--sort'],
                    default='pk',
                    metavar='COLUMN',
                    help='Sort by this; -COLUMN for descending order.',
                    shell_complete=complete_sort,
                ),
                click.Option(
                    ['--columns'],
                    metavar='A,B,C',
                    help='Print these columns, in this order.',
                    shell_complete=complete_columns,
                ),
                click.Option(['--limit'], type=click.IntRange(min=1), help='Maximum number of records.'),
                click.Option(['--count', 'only_count'], is_flag=True, help='Print only the number of records.'),
                click.Option(['--json', 'as_json'], is_flag=True, help='Print a JSON list.'),
                click.Option(['--csv', 'as_csv'], is_flag=True, help='Print comma-separated values.'),
            ],
        )
    )
    return wide_option(made)


def _chosen(kind: Kind, text: str | None) -> tuple[Column, ...]:
    """Return the columns that a user chose, none if there is no choice.

    :raises AnialError: if there is no such column.
    """
    if text is None:
        return ()
    try:
        return tuple(kind.column(name.strip()) for name in dict.fromkeys(text.split(',')))
    except AnialError as exception:
        raise AnialError(f'--columns: {exception}') from exception


def _print_table(kind: Kind, rows: list[dict[str, Any]], chosen: Sequence[Column], *, wide: bool) -> None:
    from aiida_anial.cli.tables import Heading, print_table

    columns = chosen or [column for column in kind.columns if column.heading]
    # Columns come in the order of their importance, the identifier first. What was chosen is not cut.
    more = {'longest': _WHOLE} if chosen else {}
    headings = [
        Heading(
            column.heading or column.name,
            column.name,
            column.digits if column.heading else _DIGITS,
            rank,
            column.type == 'str',
            **more,
        )
        for rank, column in enumerate(columns)
    ]
    print_table(f'{len(rows)} {kind.name if len(rows) != 1 else kind.singular}', headings, rows, wide=wide)


def _print_csv(names: Sequence[str], rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, names, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)


for _kind in KINDS.values():
    command.add_command(_subcommand(_kind))
