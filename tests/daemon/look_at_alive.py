"""Print the largest number of pw.x calculations that were ever active at once; run by ``verdi run``."""

from __future__ import annotations

from aiida import orm

query = orm.QueryBuilder().append(
    orm.WorkChainNode, filters={'attributes.process_label': 'PwBaseWorkChain'}, project=['ctime', 'mtime']
)
spans = query.all()
print(max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans))
