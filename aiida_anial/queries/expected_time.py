"""How long a process that counts what it has done still takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida import orm

from aiida_anial.properties.comparison.results import DFT
from aiida_anial.queries.stages import Running, stages_of

__all__ = ('remaining_s', 'seconds_by_property')


def remaining_s(process: Any, running: Sequence[Running]) -> float | None:
    """Return the seconds that a process still takes; None if that cannot be told.

    For a benchmark they follow from earlier runs of the properties that are missing, where the graph has them;
    otherwise from what the process has done so far.

    :param running: the process and its descendants that are alive.
    """
    if process.process_label == 'BenchmarkWorkChain' and (known := _of_properties(process)) is not None:
        return known
    own = [one for one in running if one.pk == process.pk]
    for stage in stages_of(own):
        if stage.done > 0:
            return own[0].elapsed_s / stage.done * (stage.total - stage.done)
    return None


def _of_properties(benchmark: Any) -> float | None:
    """Return the seconds of the properties of potentials that have not ended; None if one has never been computed."""
    names = benchmark.inputs.properties.get_list()
    children = benchmark.called
    subjects = {child.label.split(' ')[0] for child in children} - {''}
    if DFT in subjects:
        return None
    ended = {child.label for child in children if child.is_terminated}
    waiting = [name for subject in subjects for name in names if f'{subject} {name}' not in ended]
    typical = seconds_by_property()
    if any(name not in typical for name in waiting):
        return None
    return sum(typical[name] for name in waiting) / int(benchmark.inputs.max_concurrent.value)


def seconds_by_property() -> dict[str, float]:
    """Return the mean wall time of the jobs of each property in the graph, in seconds, by its name."""
    query = orm.QueryBuilder()
    filters = {'attributes.process_label': 'PropertyCalculation', 'attributes.exit_status': 0}
    query.append(orm.CalcJobNode, filters=filters, project=['ctime', 'mtime'], tag='job')
    edge = {'label': 'property'}
    query.append(orm.Str, with_outgoing='job', edge_filters=edge, project='attributes.value')
    times: dict[str, list[float]] = {}
    for begun, changed, name in query.all():
        times.setdefault(name, []).append((changed - begun).total_seconds())
    return {name: sum(seconds) / len(seconds) for name, seconds in times.items()}
