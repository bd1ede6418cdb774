"""Records of the graph, filtered, sorted and counted by the database, and the selection of labels for exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.queries.columns import Column, Condition, Kind
from aiida_anial.queries.kinds import KINDS

__all__ = ('check_values', 'chosen_labels', 'count', 'kind_named', 'records')

_CASTS = {'int': 'i', 'float': 'f', 'bool': 'b', 'date': 'd', 'str': 't'}
_BATCH = 10_000


def records(
    kind: str,
    where: Mapping[str, Condition] | None = None,
    *,
    campaigns: Sequence[Any] | None = None,
    sort: str = 'pk',
    limit: int | None = None,
    columns: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the records of one kind, as dictionaries of plain values with the names of ``KINDS[kind].columns``.

    Nodes created by reproducing a step are left out.

    >>> records('labels', {'n_atoms': (50, 100), 'origin': 'random'}, campaigns=[campaign], sort='-energy_ev')

    :param kind: a key of ``KINDS``.
    :param where: conditions by column: a value to be equal to, a pair ``(low, high)`` to lie in, with ``None`` for no
        bound, or a list to be a member of.
    :param campaigns: ``ActiveLearningWorkChain`` nodes to restrict the records to.
    :param sort: column to sort by, with a leading minus for descending order; records without a value are left out.
    :param limit: maximum number of records.
    :param columns: columns to return; by default all.
    :raises AnialError: if there is no such kind or column.
    """
    definition = kind_named(kind)
    column = _searchable(definition.column(sort.removeprefix('-')))
    builder = _builder(definition, where or {}, campaigns, also=[column])
    order: dict[str, str] = {'order': 'desc' if sort.startswith('-') else 'asc'}
    if '.' in column.field:
        order['cast'] = _CASTS[column.type]
    # Ties are sorted in order of creation.
    builder.order_by([{column.entity: [{column.field: order}]}, {definition.entity: [{'id': 'asc'}]}])
    if limit is not None:
        builder.limit(limit)
    wanted = definition.columns if columns is None else tuple(definition.column(name) for name in columns)
    # Values of optional nodes are matched by the pk.
    found = dict.fromkeys([definition.columns[0], *wanted])
    stored = [entry for entry in found if not entry.is_computed]
    rows = _project(builder, [entry for entry in stored if entry.entity not in definition.optional])
    for entity in definition.optional:
        missing = [entry for entry in wanted if entry.entity == entity]
        if missing and rows:
            more = _builder(definition, where or {}, campaigns, also=missing[:1])
            if limit is not None:
                more.add_filter(definition.entity, {'id': {'in': [row['pk'] for row in rows]}})
            _add_optional(_project(more, [definition.columns[0], *missing]), rows)
    for name in (entry.name for entry in wanted if entry.is_computed and rows):
        values = definition.computed[name]([row['pk'] for row in rows])
        _add_optional(({'pk': pk, name: value} for pk, value in values.items()), rows)
    return [{entry.name: row.get(entry.name) for entry in wanted} for row in rows]


def count(kind: str, where: Mapping[str, Condition] | None = None, *, campaigns: Sequence[Any] | None = None) -> int:
    """Return the number of records; the arguments are those of ``records``."""
    return int(_builder(kind_named(kind), where or {}, campaigns).count())


def check_values(kind: str, where: Mapping[str, Condition]) -> None:
    """Check that the values to look for exist, in those columns that have few of them.

    :raises AnialError: if one does not, with a list of those that do.
    """
    definition = kind_named(kind)
    for name, condition in where.items():
        column = definition.column(name)
        if not column.has_few_values:
            continue
        builder = _builder(definition, {}, None, also=[column])
        builder.add_projection(column.entity, column.field)
        known = sorted({value for value in builder.distinct().all(flat=True) if value is not None})
        for value in condition if isinstance(condition, list) else [condition]:
            if known and value not in known:
                raise AnialError(f'{name}: no {kind} have {value!r}; there are {", ".join(known)}.')


def kind_named(name: str) -> Kind:
    """Return the kind ``name``.

    :raises AnialError: if there is none.
    """
    if name not in KINDS:
        raise AnialError(f'{name}: there are no such records; the kinds are {", ".join(KINDS)}.')
    return KINDS[name]


def _builder(
    kind: Kind, where: Mapping[str, Condition], campaigns: Sequence[Any] | None, also: Iterable[Column] = ()
) -> orm.QueryBuilder:
    """Return the query with all filters and without projections.

    :param also: columns whose entities the query needs in addition to the filtered ones.
    """
    builder = orm.QueryBuilder()
    kind.path(builder, list(campaigns) if campaigns is not None else None)
    conditions: dict[str, list[dict[str, Any]]] = {column.entity: [] for column in also}
    conditions.setdefault(kind.entity, []).append({'extras': {'!has_key': REPRODUCES}})
    for name, condition in where.items():
        column = _searchable(kind.column(name))
        conditions.setdefault(column.entity, []).append({column.field: _operator(condition)})
    for entity, filters in conditions.items():
        if entity in kind.optional:
            kind.optional[entity](builder)
        if filters:
            builder.add_filter(entity, {'and': filters})
    return builder


def _searchable(column: Column) -> Column:
    """Return a column that the database has.

    :raises AnialError: if it is computed.
    """
    if column.is_computed:
        raise AnialError(f'{column.name}: the database has no such column to search for; --campaign selects.')
    return column


def _project(builder: orm.QueryBuilder, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the rows of the query as dictionaries by column name."""
    for entity in dict.fromkeys(column.entity for column in columns):
        builder.add_projection(entity, [column.field for column in columns if column.entity == entity])
    return [
        {column.name: _plain(column, found[column.entity][column.field]) for column in columns}
        for found in builder.iterdict(batch_size=_BATCH)
    ]


def _add_optional(found: Iterable[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Add the values of optional nodes to the records."""
    by_pk = {row['pk']: row for row in rows}
    for values in found:
        by_pk.get(values['pk'], {}).update(values)


def _operator(condition: Condition) -> dict[str, Any]:
    """Return the condition as a QueryBuilder filter."""
    if isinstance(condition, tuple):
        low, high = condition
        bounds = [{'>=': low}] * (low is not None) + [{'<=': high}] * (high is not None)
        return {'and': bounds} if len(bounds) > 1 else bounds[0]
    return {'in': list(condition)} if isinstance(condition, list | set) else {'==': condition}


def _plain(column: Column, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec='seconds')
    # SQLite's JSON has no booleans.
    return bool(value) if column.type == 'bool' and value is not None else value


def chosen_labels(
    where: Mapping[str, Condition] | None = None, campaigns: Sequence[Any] | None = None
) -> tuple[dict[str, DatasetData], dict[str, list[int]] | None]:
    """Return the shards that contain the chosen labels, named in order of creation, and the rows in them.

    :param where: conditions on the columns of ``labels``, in the form that ``records`` takes.
    :param campaigns: campaigns to restrict the labels to.
    :return: the shards, and the chosen rows of each, or ``None`` for the rows if there are no conditions.
    :raises AnialError: if no label matches.
    """
    rows: dict[int, list[int]] = {}
    if where:
        for record in records('labels', where, campaigns=campaigns, columns=('shard', 'row')):
            rows.setdefault(record['shard'], []).append(record['row'])
    pks = (
        sorted(rows) if where else [record['pk'] for record in records('shards', campaigns=campaigns, columns=('pk',))]
    )
    if not pks:
        raise AnialError('filters: no label matches.' if where else 'there are no labels yet.')
    # Importing an archive preserves the creation times, but not the order of the pks.
    query = orm.QueryBuilder().append(DatasetData, filters={'id': {'in': pks}}, tag='shard')
    query.order_by({'shard': [{'ctime': 'asc'}, {'uuid': 'asc'}]})
    shards = {f'shard_{number:04d}': shard for number, shard in enumerate(query.all(flat=True))}
    chosen = {name: sorted(rows[shard.pk]) for name, shard in shards.items()} if where else None
    return shards, chosen
