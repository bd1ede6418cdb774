"""Why labels were rejected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiida import orm

from aiida_anial.queries.graph import shard_makers, work_chains

__all__ = ('reason_counts', 'rejections')

_NUMBER: Final = re.compile(r'\d+(\.\d+)?(e[+-]?\d+)?')


def reason_counts(reasons: Iterable[str]) -> dict[str, int]:
    """Count the reasons, the most frequent first.

    Reasons that differ only in their numbers count as one, with an ellipsis in place of each number that differs.
    """
    texts = list(reasons)
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(_NUMBER.sub('', text), []).append(text)
    counts = {_common(same): len(same) for same in groups.values()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _common(texts: Sequence[str]) -> str:
    """Return the text that all of these have in common, with an ellipsis for each number that differs."""
    numbers = zip(*([found[0] for found in _NUMBER.finditer(text)] for text in texts), strict=True)
    shown = iter([same[0] if len(set(same)) == 1 else '…' for same in numbers])
    return _NUMBER.sub(lambda _: next(shown), texts[0])


def rejections(campaign: Any) -> list[dict[str, str]]:
    """Return the reasons why labels of the campaign were rejected, by the names of cells, for every shard."""
    labelling = orm.QueryBuilder()
    labelling.append(orm.WorkChainNode, filters={'id': {'in': work_chains([campaign])}}, tag='chain')
    labelling.append(orm.CalcFunctionNode, with_incoming='chain', tag='maker', project='id')
    # Shards that the campaign received as inputs were created by other processes.
    makers = {*labelling.all(flat=True), *shard_makers([campaign])}
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, filters={'id': {'in': sorted(makers)}}, tag='maker')
    query.append(orm.Dict, with_incoming='maker', edge_filters={'type': 'create', 'label': 'rejected'}, tag='rejected')
    query.add_projection('rejected', '*')
    return [node.get_dict() for node in query.all(flat=True)]
