"""Questions of ``campaign.py`` to the graph, in a process with the profile loaded."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

from aiida import orm

from aiida_anial.queries.graph import work_chains


def labels(*, pk: int) -> dict[str, Any]:
    """Return how many labels of a campaign have ended, how long pw.x and the jobs took, and how many ran twice.

    ``again_after`` counts the exit statuses of calculations that were followed by another one; 0 means that the highest
    band was occupied. ``ended`` is the last iteration that has ended, and ``ended_s`` when it did, in seconds from the
    start.
    """
    above = work_chains([orm.load_node(pk)])
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': {'in': above}}, tag='above')
    chains = {'attributes.process_label': 'PwBaseWorkChain', 'attributes.process_state': 'finished'}
    query.append(orm.WorkChainNode, with_incoming='above', filters=chains, tag='chain', project=['id'])
    query.append(
        orm.CalcJobNode, with_incoming='chain', project=['id', 'ctime', 'mtime', 'attributes.exit_status'], tag='job'
    )
    jobs = sorted(query.all(), key=lambda row: row[1])
    last = {chain: job for chain, job, *_ in jobs}
    again = [status for chain, job, *_, status in jobs if job != last[chain]]
    query.append(orm.Dict, with_incoming='job', edge_filters={'label': 'output_parameters'}, tag='output')
    query.add_projection('output', 'attributes.wall_time_seconds')
    times = [(seconds, (changed - begun).total_seconds()) for *_, begun, changed, _, seconds in query.all()]
    index, end = _last_iteration(pk)
    return {
        'ended': index,
        'ended_s': end,
        'n_labels': len(last),
        'n_calculated_again': len(again),
        'again_after': Counter(map(str, again)),
        'pw_wall_s': statistics.mean(seconds for seconds, _ in times) if times else None,
        'around_pw_s': statistics.mean(job - seconds for seconds, job in times) if times else None,
    }


def _last_iteration(pk: int) -> tuple[int | None, float | None]:
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': pk}, tag='campaign', project='ctime')
    done = {'attributes.process_label': 'AlIterationWorkChain', 'attributes.process_state': 'finished'}
    query.append(orm.WorkChainNode, with_incoming='campaign', filters=done, project='mtime')
    rows = sorted(query.all(), key=lambda row: row[1])
    return (len(rows), (rows[-1][1] - rows[-1][0]).total_seconds()) if rows else (None, None)
