"""The section on trajectories, and the course of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiida import orm
from numpy.typing import NDArray

from aiida_anial.report.page.elements import Axis, Chart, Section, Series, evenly, numbers
from aiida_anial.report.page.sources import PageSources
from aiida_anial.runtime.bulk_files import arrays_of

__all__ = ('dynamics_section', 'trajectory_courses')

# Trajectories whose course is on the page, and points of each.
_COURSES: Final = 240
_POINTS: Final = 60
_COURSE: Final = {'time': 'times', 'temperature': 'temperatures_k', 'disagreement': 'energy_disagreement'}


def dynamics_section(sources: PageSources) -> Section | None:
    """Return the section on trajectories, or None if there is none yet."""
    rows = sources.trajectories
    if not rows:
        return None
    shown = evenly(len(rows), _COURSES)
    said = (
        'all of them'
        if len(shown) == len(rows)
        else f'{len(shown)} of the {len(rows):,}, evenly spread over the campaign'
    )
    return Section(
        key='dynamics',
        title='Dynamics',
        paragraphs=(
            f'Choose a trajectory to see its temperature and disagreement over time (of {said}) and the configuration '
            'at its end.',
        ),
        charts=(
            Chart(
                title='Ends of trajectories',
                x=Axis(label='time at the end (ps)'),
                y=Axis(label='highest temperature (K)'),
                series=_by_reason(rows, 'stop_time_ps', 'max_temperature_k'),
            ),
            Chart(
                title='Disagreement at the end',
                x=Axis(label='iteration', is_whole=True),
                y=Axis(label='disagreement (eV/√atom)', is_logarithmic=True),
                series=_by_reason(rows, 'iteration', 'energy_disagreement_ev'),
            ),
        ),
    )


def _by_reason(rows: Sequence[dict[str, Any]], x: str, y: str) -> list[Series]:
    reasons = list(dict.fromkeys(row['stop_reason'] for row in rows))
    series = []
    for reason in sorted(reasons):
        chosen = [index for index, row in enumerate(rows) if row['stop_reason'] == reason]
        points: dict[str, Any] = {'x': [rows[index][x] for index in chosen], 'y': [rows[index][y] for index in chosen]}
        name = f'{reason.replace("_", " ")} ({len(chosen)})'
        series.append(Series(name=name, of='trajectories', rows=chosen, **points))
    return series


def trajectory_courses(sources: PageSources) -> dict[str, dict[str, Any]]:
    """Return the course of trajectories and the configuration at their ends, by their rows.

    :return: ``time`` in ps, ``temperature`` in K, ``disagreement`` in eV/sqrt(atom), and ``frame``, a configuration as
        ``[lattice, positions]``, in angstrom.
    """
    rows = evenly(len(sources.trajectories), _COURSES)
    pks = {sources.trajectories[row]['pk']: row for row in rows}
    query = orm.QueryBuilder()
    query.append(orm.TrajectoryData, filters={'id': {'in': list(pks)}}, project=['id', 'attributes.candidate_frame'])
    candidates = dict(query.all() if pks else ())
    arrays = arrays_of(pks, *_COURSE.values(), 'cells', 'positions')
    return {str(pks[pk]): {**_course(own), 'frame': _frame(own, candidates[pk])} for pk, own in arrays.items()}


def _course(arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
    points = evenly(len(arrays[_COURSE['time']]), _POINTS)
    return {key: numbers(arrays[name][points], 4) for key, name in _COURSE.items() if name in arrays}


def _frame(arrays: Mapping[str, NDArray[Any]], candidate: int | None) -> list[Any]:
    """Return the candidate of a trajectory, or its last frame."""
    frame = -1 if candidate is None or candidate < 0 else candidate
    return [numbers(arrays['cells'][frame].ravel(), 5), numbers(arrays['positions'][frame].ravel(), 5)]
