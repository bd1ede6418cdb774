"""Which rows of which shards a query chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.queries.columns import Condition
from aiida_anial.queries.records import records

__all__ = ('chosen_labels',)


def chosen_labels(
    where: Mapping[str, Condition] | None = None, campaigns: Sequence[Any] | None = None
) -> tuple[dict[str, DatasetData], dict[str, list[int]] | None]:
    """Return the shards that hold the chosen labels, by names in the order of their making, and the rows in them.

    :param where: conditions on the columns of ``labels``, as ``records`` takes them.
    :param campaigns: stay in these campaigns.
    :return: no rows where whole shards are chosen.
    :raises AnialError: if there is no such label.
    """
    rows: dict[int, list[int]] = {}
    if where:
        for record in records('labels', where, campaigns=campaigns, columns=('shard', 'row')):
            rows.setdefault(record['shard'], []).append(record['row'])
    pks = (
        sorted(rows) if where else [record['pk'] for record in records('shards', campaigns=campaigns, columns=('pk',))]
    )
    if not pks:
        raise AnialError('filters: no label is so.' if where else 'there are no labels yet.')
    # An imported archive keeps the times, but not the order of the pks.
    query = orm.QueryBuilder().append(DatasetData, filters={'id': {'in': pks}}, tag='shard')
    query.order_by({'shard': [{'ctime': 'asc'}, {'uuid': 'asc'}]})
    shards = {f'shard_{number:04d}': shard for number, shard in enumerate(query.all(flat=True))}
    chosen = {name: sorted(rows[shard.pk]) for name, shard in shards.items()} if where else None
    return shards, chosen
