"""Records as they are published: with UUIDs, for the pks of a profile mean nothing outside of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm

from aiida_anial.queries.columns import Kind
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import records

__all__ = ('published_columns', 'published_iterations', 'published_records')

_OWN = 'pk'
_BATCH = 10_000


def published_records(campaign: Any) -> dict[str, list[dict[str, Any]]]:
    """Return all records of a campaign by kind, in the order of their making; kinds without any are left out."""
    found = {name: records(name, campaigns=[campaign], sort='created') for name in KINDS}
    return {name: _published(KINDS[name], rows) for name, rows in found.items() if rows}


def published_columns(names: Iterable[str]) -> list[dict[str, str]]:
    """Return what the columns of the tables of these kinds are."""
    return [
        {'table': name, 'column': column.name, 'help': column.help.replace('Pk of', 'UUID of')}
        for name in names
        for column in KINDS[name].columns
        if column.name != _OWN
    ]


def published_iterations(iterations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of ``campaign_status`` with the UUIDs of their processes."""
    uuids = _uuids({row[_OWN] for row in iterations})
    return [{'uuid': uuids[row[_OWN]], **_without_pk(row)} for row in iterations]


def _published(kind: Kind, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records with the UUIDs of other nodes, and without their own pk."""
    others = [column.name for column in kind.columns if column.field == 'id' and column.name != _OWN]
    uuids = _uuids({row[name] for row in rows for name in others if row[name] is not None})
    return [{**_without_pk(row), **{name: uuids.get(row[name]) for name in others}} for row in rows]


def _without_pk(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != _OWN}


def _uuids(pks: set[int]) -> dict[int, str]:
    """Return the UUIDs of nodes by their pks."""
    ordered, found = sorted(pks), {}
    for start in range(0, len(ordered), _BATCH):
        query = orm.QueryBuilder()
        query.append(orm.Node, filters={'id': {'in': ordered[start : start + _BATCH]}}, project=['id', 'uuid'])
        found.update(dict(query.all()))
    return found
