"""When the calculations of a campaign ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from aiida import orm
from aiida.common import timezone

from aiida_anial.active_learning.time_shares import Calculation
from aiida_anial.labellers.registry import known_labellers
from aiida_anial.queries.graph import work_chains
from aiida_anial.runtime.states import ACTIVE

__all__ = ('DYNAMICS', 'LABELS', 'OTHER', 'TRAINING', 'calculations_of')

LABELS: Final = 'labels'
DYNAMICS: Final = 'dynamics'
TRAINING: Final = 'training'
OTHER: Final = 'other'
_SEVERAL: Final = 'EvaluateCalculation'
_KINDS: Final = {
    'PwCalculation': LABELS,
    _SEVERAL: LABELS,
    'SampleCalculation': DYNAMICS,
    'TrainEnsembleCalculation': TRAINING,
    'ValidateCalculation': 'validation',
    'PropertyCalculation': 'properties',
}


def calculations_of(campaign: Any) -> list[Calculation]:
    """Return the calculations of a campaign, those of labels included."""
    chains = work_chains([campaign])
    jobs = {**_jobs(chains), **_jobs(_labelling(chains))}
    started, stopped = _created(jobs, 'remote_folder'), _created(jobs, 'retrieved')
    seconds, n_cells, n_threads = _wall_times(jobs), _n_cells(jobs), _n_threads(jobs)
    now = timezone.now().timestamp()
    found = []
    for pk, (name, begun, changed, state, resources) in jobs.items():
        is_over = state not in ACTIVE
        ended = changed.timestamp() if is_over else now
        start = started.get(pk, ended)
        stop = stopped.get(pk, ended)
        # The files are fetched some time after the program has ended.
        stop = min(stop, start + seconds[pk]) if pk in seconds else stop
        times = (begun.timestamp(), start, stop, ended)
        n_cores = _n_processes(resources) * n_threads.get(pk, 1)
        found.append(Calculation(_kind(name), *times, is_over, n_cells.get(pk, 1), n_cores))
    return found


def _kind(name: str) -> str:
    return _KINDS.get(name, OTHER)


def _labelling(chains: Collection[int]) -> list[int]:
    """Return the pks of the processes that label a cell each."""
    names = [one.process_label for one in known_labellers().values() if not one.is_one_job]
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': {'in': list(chains)}}, tag='chain')
    filters = {'attributes.process_label': {'in': names}}
    found: list[int] = query.append(orm.WorkChainNode, with_incoming='chain', filters=filters, project='id').all(
        flat=True
    )
    return found


def _n_processes(resources: dict[str, int] | None) -> int:
    given = resources or {}
    n_machines, on_each = given.get('num_machines') or 1, given.get('num_mpiprocs_per_machine') or 1
    return given.get('tot_num_mpiprocs') or n_machines * on_each


def _jobs(chains: Collection[int]) -> dict[int, tuple[str, datetime, datetime, str, dict[str, int] | None]]:
    """Return process label, times of creation and of the last change, state and resources of jobs, by pk."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': {'in': list(chains)}}, tag='chain')
    names = ['attributes.process_label', 'ctime', 'mtime', 'attributes.process_state', 'attributes.resources']
    query.append(orm.CalcJobNode, with_incoming='chain', project=['id', *names])
    return {pk: tuple(values) for pk, *values in query.all()} if chains else {}


def _created(jobs: Collection[int], output: str) -> dict[int, float]:
    """Return when an output of each job was stored, in seconds."""
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'id': {'in': list(jobs)}}, tag='job', project='id')
    query.append(orm.Data, with_incoming='job', edge_filters={'label': output}, project='ctime')
    return {pk: moment.timestamp() for pk, moment in query.all()} if jobs else {}


def _n_cells(jobs: Mapping[int, tuple[Any, ...]]) -> Counter[int]:
    """Return how many cells each job that labels several has."""
    several = [pk for pk, (name, *_) in jobs.items() if name == _SEVERAL]
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'id': {'in': several}}, tag='job', project='id')
    query.append(orm.StructureData, with_outgoing='job')
    return Counter(query.all(flat=True)) if several else Counter()


def _n_threads(jobs: Collection[int]) -> dict[int, int]:
    """Return the threads of each job of ``anial-worker``."""
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'id': {'in': list(jobs)}}, tag='job', project='id')
    query.append(orm.Dict, with_outgoing='job', edge_filters={'label': 'engine'}, project='attributes.threads')
    return {pk: number for pk, number in query.all() if number} if jobs else {}


def _wall_times(jobs: Collection[int]) -> dict[int, float]:
    """Return the wall time in seconds that each job of pw.x reports."""
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'id': {'in': list(jobs)}}, tag='job', project='id')
    edge = {'label': 'output_parameters'}
    query.append(orm.Dict, with_incoming='job', edge_filters=edge, project='attributes.wall_time_seconds')
    return {pk: seconds for pk, seconds in query.all() if seconds is not None} if jobs else {}
