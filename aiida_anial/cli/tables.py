"""Tables for a terminal: of the columns, those that fit, the most important first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ('Heading', 'new_console', 'print_table', 'terminal_width')

# Wide enough for every table of this package, for pipes and for --wide.
_UNLIMITED: Final = 1000


@dataclass(frozen=True)
class Heading:
    """A column of a table.

    :param text: its heading, of one or two lines.
    :param key: key of its values in the rows.
    :param digits: digits after the decimal point.
    :param rank: columns of the highest rank are left out first if the terminal is narrow; those of rank 0 stay.
    :param is_text: whether the column is aligned to the left.
    :param longest: characters of a text, such as a label, beyond which it is cut.
    """

    text: str
    key: str
    digits: int = 0
    rank: int = 0
    is_text: bool = False
    longest: int = 28


def new_console(*, wide: bool = False) -> Console:
    """Return the console: as wide as the terminal; unlimited if ``wide``, and where the output is not a terminal."""
    # With NO_COLOR alone, rich still prints escape sequences, for bold text.
    given: dict[str, Any] = {'color_system': None} if os.environ.get('NO_COLOR') else {}
    console = Console(**given)
    return Console(width=_UNLIMITED, **given) if wide or not console.is_terminal else console


def terminal_width(*, wide: bool) -> int:
    """Return the columns that text may have: those of the terminal, unlimited where ``new_console`` is."""
    return new_console(wide=wide).width


def print_table(
    title: str, headings: Sequence[Heading], rows: Sequence[Mapping[str, Any]], *, wide: bool = False
) -> None:
    """Print rows as a table, and below it the columns for which the terminal is too narrow.

    :param rows: plain values by the keys of the headings.
    :param wide: show all columns and whole texts.
    """
    console = new_console(wide=wide)
    columns = {one: [_cell(row[one.key], one, wide=wide) for row in rows] for one in headings}
    widths = {one: max(map(cell_len, [*one.text.split('\n'), *cells])) for one, cells in columns.items()}
    shown = list(headings)
    # Behind each column there is a blank and, but for the last, another.
    while sum(widths[one] + 2 for one in shown) - 1 > console.width and (rank := max(one.rank for one in shown)) > 0:
        shown.remove(next(one for one in reversed(shown) if one.rank == rank))
    if title:
        console.print(title, markup=False, highlight=False, soft_wrap=True)
    console.print(_table({one: columns[one] for one in shown}))
    if missing := [one.text.replace('-\n', '').replace('\n', ' ') for one in headings if one not in shown]:
        console.print(f'Too narrow for {", ".join(missing)}; --wide shows all.', highlight=False, markup=False)


def _table(columns: Mapping[Heading, Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in columns:
        table.add_column(heading.text, justify='left' if heading.is_text else 'right', overflow='fold')
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(escape, cells))
    return table


def _cell(value: Any, heading: Heading, *, wide: bool) -> str:
    if value is None:
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{value:.{heading.digits}f}'
    text = str(value)
    return text if wide or len(text) <= heading.longest else f'{text[: heading.longest - 1]}…'
