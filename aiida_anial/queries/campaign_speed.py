"""How fast the steps of a campaign are, from the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
from aiida import orm

from aiida_anial.active_learning.forecast import Speed
from aiida_anial.active_learning.time_shares import Calculation
from aiida_anial.queries.campaign_times import LABELS
from aiida_anial.queries.graph import work_chains

__all__ = ('campaign_speed',)

# Cells differ so much that fewer labels say little.
_LEAST_LABELS: Final = 8
_SAMPLE, _TRAIN = 'SampleCalculation', 'TrainEnsembleCalculation'


def campaign_speed(campaign: Any, calculations: Sequence[Calculation]) -> Speed | None:
    """Return the speed that a campaign has had so far; None if it has done too little to tell.

    :param calculations: those of the campaign.
    """
    labels = [one for one in calculations if one.kind == LABELS and one.is_over]
    chains = work_chains([campaign])
    tables = _outputs(chains, _SAMPLE, 'table', 'trajectories')
    steps = _inputs(chains, _TRAIN, 'settings', 'max_steps')
    n_labels = sum(one.n_cells for one in labels)
    if n_labels < _LEAST_LABELS or not tables or not steps:
        return None
    rows = [row for _, table in tables for row in table]
    atom_steps = [sum(row['n_atoms'] * row['stop_step'] for row in table) for _, table in tables]
    dynamics_job, atom_step = _line(atom_steps, [seconds for seconds, _ in tables])
    training_job, training_step = _line([number for _, number in steps], [seconds for seconds, _ in steps])
    return Speed(
        label_s=_covered(labels) / n_labels,
        # A cycle has a job of its own, and all of them run side by side.
        atom_step_s=atom_step,
        training_step_s=training_step,
        job_s=(dynamics_job + training_job) / 2,
        n_atoms=sum(row['n_atoms'] for row in rows) / len(rows),
    )


def _line(work: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Return the seconds of a job without work, and those of a unit of work.

    With jobs of one size alone, half of the shortest one counts as its start.
    """
    x, y = np.asarray(work, dtype=float), np.asarray(seconds, dtype=float)
    if np.ptp(x) > 0.2 * x.max():
        slope, start = np.polyfit(x, y, 1)
        if slope > 0 and start > 0:
            return float(start), float(slope)
    start = y.min() / 2
    return float(start), float((y - start).sum() / x.sum())


def _covered(calculations: Iterable[Calculation]) -> float:
    """Return the seconds in which at least one of the calculations was alive."""
    total, until = 0.0, float('-inf')
    for one in sorted(calculations, key=lambda one: one.begun):
        total += max(one.ended - max(one.begun, until), 0.0)
        until = max(until, one.ended)
    return total


def _outputs(chains: Collection[int], name: str, label: str, key: str) -> list[tuple[float, Any]]:
    """Return, for each job of a kind that finished well, its seconds and an entry of one of its outputs."""
    query = _jobs(chains, name)
    query.append(orm.Dict, with_incoming='job', edge_filters={'label': label}, project=f'attributes.{key}')
    return [((changed - begun).total_seconds(), value) for begun, changed, value in query.all()]


def _inputs(chains: Collection[int], name: str, label: str, key: str) -> list[tuple[float, Any]]:
    """Return, for each job of a kind that finished well, its seconds and an entry of one of its inputs."""
    query = _jobs(chains, name)
    query.append(orm.Dict, with_outgoing='job', edge_filters={'label': label}, project=f'attributes.{key}')
    return [((changed - begun).total_seconds(), value) for begun, changed, value in query.all()]


def _jobs(chains: Collection[int], name: str) -> orm.QueryBuilder:
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': {'in': list(chains)}}, tag='chain')
    filters = {'attributes.process_label': name, 'attributes.exit_status': 0}
    return query.append(orm.CalcJobNode, with_incoming='chain', filters=filters, project=['ctime', 'mtime'], tag='job')
