"""What a page consists of: sections with charts and tables, as plain values for the scripts of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

__all__ = ('Axis', 'Bar', 'Chart', 'Records', 'Section', 'Series', 'Table', 'evenly', 'numbers')

# More digits cannot be seen in a chart.
_DIGITS: Final = 6


def numbers(values: Iterable[Any], digits: int = _DIGITS) -> list[float | int | None]:
    """Return numbers as JSON has them, with few significant digits; None for what is missing or not finite."""
    return [_number(value, digits) for value in values]


def _number(value: Any, digits: int) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f'{float(value):.{digits}g}')
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def evenly(n: int, at_most: int) -> list[int]:
    """Return at most ``at_most`` of the indices 0 to ``n`` - 1, evenly spread."""
    return list(range(n)) if n <= at_most else [index * n // at_most for index in range(at_most)]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of a chart.

    :param label: what it shows, with the unit.
    :param is_logarithmic: whether it is logarithmic.
    :param is_whole: whether it has whole numbers only.
    :param begins_at_zero: whether it begins at 0.
    :param ticks: texts by position, in place of numbers.
    """

    label: str
    is_logarithmic: bool = False
    is_whole: bool = False
    begins_at_zero: bool = False
    ticks: Mapping[float, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {
            'label': self.label,
            'log': self.is_logarithmic,
            'whole': self.is_whole,
            'zero': self.begins_at_zero,
        }
        return found | {'ticks': list(map(list, self.ticks.items()))} if self.ticks else found


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points that belong together.

    :param name: entry in the legend.
    :param x: abscissae.
    :param y: ordinates.
    :param draw: as points, as a line, as a line through points, or as bars.
    :param spread: half the height of a band or of error bars, by point.
    :param colour: number of its colour; by default that of its place in the chart; -1 is the colour of the text, which
        DFT has; -2 that of the literature.
    :param shade: 0 to 1, its place in a scale of colours, in place of a colour.
    :param of: name of the records that the points show; empty if they show none.
    :param rows: row of each point in these records.
    """

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    draw: Literal['points', 'line', 'both', 'bars'] = 'points'
    spread: Sequence[Any] | None = None
    colour: int | None = None
    shade: float | None = None
    of: str = ''
    rows: Sequence[int] = ()

    @property
    def has_points(self) -> bool:
        """Whether any point has both coordinates."""
        return any(None not in numbers(pair) for pair in zip(self.x, self.y, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without points that lack one coordinate; those that lack both are gaps in a line."""
        x, y = numbers(self.x), numbers(self.y)
        shown = [index for index, pair in enumerate(zip(x, y, strict=True)) if pair.count(None) != 1]
        found: dict[str, Any] = {'name': self.name, 'draw': self.draw}
        found |= {'x': [x[index] for index in shown], 'y': [y[index] for index in shown]}
        if self.spread is not None:
            spread = numbers(self.spread)
            found['spread'] = [spread[index] for index in shown]
        if self.of:
            found |= {'of': self.of, 'rows': [self.rows[index] for index in shown]}
        known = {'colour': self.colour, 'shade': self.shade}
        return found | {key: value for key, value in known.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart.

    :param title: its title.
    :param x: abscissa.
    :param y: ordinate.
    :param series: what is drawn, the first at the back.
    :param is_parity: whether both axes have the same range, with a diagonal.
    :param levels: texts of horizontal lines, by height.
    :param note: a sentence below it.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    is_parity: bool = False
    levels: Mapping[float, str] = field(default_factory=dict)
    note: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; series without points are left out."""
        drawn = [series for one in self.series if (series := one.to_dict())['x']]
        found: dict[str, Any] = {'title': self.title, 'x': self.x.to_dict(), 'y': self.y.to_dict(), 'series': drawn}
        if self.levels:
            found['levels'] = [[_number(height, _DIGITS), text] for height, text in self.levels.items()]
        return found | {'parity': self.is_parity, 'note': self.note}


@dataclass(frozen=True)
class Bar:
    """A share of a whole, shown as a bar in a table.

    :param share: 0 to 1.
    """

    share: float

    @property
    def percent(self) -> str:
        """The share in percent."""
        return f'{self.share:.0%}'


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    :param headings: its first row.
    :param rows: texts, or bars.
    :param caption: what it shows.
    :param of: name of the records that its rows show; empty if they show none.
    :param records: row of each in these records.
    :param is_folded: whether it is hidden until the reader opens it.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]
    caption: str
    of: str = ''
    records: Sequence[int] = ()
    is_folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Records:
    """Nodes of the graph that points and rows show, by column.

    :param singular: what one of them is called.
    :param columns: values of each column, by its name; ``pk`` and ``uuid`` are among them.
    :param helps: what each column holds.
    :param commands: commands that show a node, with ``{column}`` in place of values.
    """

    singular: str
    columns: Mapping[str, Sequence[Any]]
    helps: Mapping[str, str]
    commands: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        columns = {
            name: [_number(value, 8) if isinstance(value, float) else value for value in values]
            for name, values in self.columns.items()
        }
        return {'singular': self.singular, 'columns': columns, 'helps': self.helps, 'commands': self.commands}


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of a page.

    :param key: its anchor.
    :param title: its title.
    :param paragraphs: sentences above the charts.
    :param charts: its charts.
    :param tables: its tables, below the charts.
    """

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()

    @property
    def drawn(self) -> Self:
        """The section without charts that have no points yet."""
        return replace(self, charts=[chart for chart in self.charts if any(one.has_points for one in chart.series)])
