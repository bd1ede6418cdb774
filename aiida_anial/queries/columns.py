"""Columns of the records of a query, and the syntax of filters on them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from aiida_anial.common.errors import AnialError

if TYPE_CHECKING:
    from aiida import orm

__all__ = ('Column', 'Condition', 'Kind', 'parse_condition')

Condition = Any
"""A value to be equal to, a pair ``(low, high)`` to lie in, or a list to be a member of."""


@dataclass(frozen=True)
class Column:
    """One value of a record.

    :param name: key of the record; ends in its unit.
    :param entity: tag of the node in the query; empty if the value is computed after the query.
    :param field: field of the node, in QueryBuilder's notation.
    :param type: ``int``, ``float``, ``str``, ``bool`` or ``date``.
    :param help: description in one line.
    :param heading: column heading in the terminal table; empty if the table omits the column.
    :param digits: digits after the decimal point in that table.
    :param has_few_values: whether the column has so few values that a message can list them.
    """

    name: str
    entity: str
    field: str
    type: Literal['int', 'float', 'str', 'bool', 'date']
    help: str
    heading: str = ''
    digits: int = 0
    has_few_values: bool = False

    @property
    def is_computed(self) -> bool:
        """Whether the query can neither filter nor sort by it."""
        return not self.entity


@dataclass(frozen=True)
class Kind:
    """One kind of records.

    QueryBuilder has no outer joins that would keep nodes without a partner, so optional nodes are fetched afterwards.

    :param name: plural, such as ``labels``.
    :param help: description in one line.
    :param columns: columns of its records.
    :param path: function that appends the entities to a query, each with its tag; the second argument holds the
        campaigns to restrict the query to, or ``None``.
    :param optional: functions that append an entity that not every record has, by its tag.
    :param computed: functions from pks of records to the values of a computed column, by its name.
    """

    name: str
    help: str
    columns: tuple[Column, ...]
    path: Callable[[orm.QueryBuilder, list[Any] | None], None]
    optional: Mapping[str, Callable[[orm.QueryBuilder], Any]] = field(default_factory=dict)
    computed: Mapping[str, Callable[[list[int]], Mapping[int, Any]]] = field(default_factory=dict)

    @property
    def singular(self) -> str:
        """The name of one record, such as ``label`` or ``trajectory``."""
        return f'{self.name.removesuffix("ies")}y' if self.name.endswith('ies') else self.name.removesuffix('s')

    @property
    def entity(self) -> str:
        """Tag of the node that a record describes."""
        return self.columns[0].entity

    @property
    def searchable(self) -> tuple[Column, ...]:
        """The columns to filter and sort by."""
        return tuple(column for column in self.columns if not column.is_computed)

    def column(self, name: str) -> Column:
        """Return the column ``name``.

        :raises AnialError: if there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        known = [column.name for column in self.columns]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f'did you mean {close[0]}?' if close else f'the columns are {", ".join(known)}.'
        raise AnialError(f'{name}: {self.name} have no such column; {hint}')


def parse_condition(column: Column, text: str, *, key: str = '') -> Condition:
    """Parse a condition: ``VALUE``, ``LOW..HIGH``, ``LOW..``, ``..HIGH`` or ``A,B,C``.

    :param key: name to use in messages; by default that of the column.
    :raises AnialError: if the text is none of these.
    """
    if '..' in text and column.type != 'str':
        low, _, high = text.partition('..')
        pair = tuple(_value(column, part, key) if part else None for part in (low, high))
        known = [value for value in pair if value is not None]
        if not known or known[0] > known[-1]:
            raise AnialError(f'{key or column.name}: {text!r} is not a range LOW..HIGH.')
        return pair
    if ',' in text:
        return [_value(column, part, key) for part in text.split(',')]
    value = _value(column, text, key)
    # A date stands for all times of that day.
    return (value, value.replace(hour=23, minute=59, second=59)) if isinstance(value, datetime) else value


def _value(column: Column, text: str, key: str) -> Any:
    text = text.strip()
    try:
        if column.type == 'date':
            value = datetime.fromisoformat(text)
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if column.type == 'bool':
            return {'true': True, 'yes': True, 'false': False, 'no': False}[text.lower()]
        if column.type == 'float' and not math.isfinite(float(text)):
            raise ValueError('not finite')
        return {'int': int, 'float': float, 'str': str}[column.type](text)
    except (KeyError, ValueError) as exception:
        wanted = {
            'int': 'a whole number',
            'float': 'a number',
            'bool': 'yes or no',
            'date': 'a date such as 2026-01-31',
        }
        raise AnialError(f'{key or column.name}: {text!r} is not {wanted[column.type]}.') from exception
