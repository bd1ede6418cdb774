"""Sections on the course of a campaign: the loop, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from aiida_anial.queries.campaign_words import pace_lines
from aiida_anial.report.page.elements import Axis, Bar, Chart, Section, Series, Table
from aiida_anial.report.page.sources import PageSources

__all__ = ('course_section', 'time_section')

_ITERATION: Final = Axis(label='iteration', is_whole=True)
_ENERGY, _FORCE = 'energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom'
_COLUMNS: Final = (
    ('iteration', 'index', 0),
    ('state', 'process_state', 0),
    ('trajectories', 'n_trajectories', 0),
    ('stopped', 'n_stopped', 0),
    ('median time (ps)', 'median_time_ps', 2),
    ('labels', 'n_labels', 0),
    ('rejected', 'n_rejected', 0),
    ('fresh E (meV/atom)', f'fresh_{_ENERGY}', 1),
    ('fresh F (eV/Å)', f'fresh_{_FORCE}', 3),
    ('test E (meV/atom)', f'test_{_ENERGY}', 1),
    ('test F (eV/Å)', f'test_{_FORCE}', 3),
)


def course_section(sources: PageSources) -> Section:
    """Return the section on the iterations."""
    rows = sources.status['iterations']
    return Section(
        key='course',
        title='The loop',
        paragraphs=(
            'Fresh errors are those of the ensemble on new labels, before it was trained on them. Test errors are '
            'those of each member on labels held out from its training.',
        ),
        charts=tuple(_charts(rows)),
        tables=(_table(rows),),
    )


def _charts(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    labels = Chart(
        title='Labels so far',
        x=_ITERATION,
        y=Axis(label='labels'),
        series=[_series('labels', rows, list(accumulate(row['n_labels'] for row in rows)), draw='bars')],
    )
    errors = [
        Chart(
            title=title,
            x=_ITERATION,
            y=Axis(label=label, is_logarithmic=True),
            series=[
                _series(f'{kind} labels', rows, _values(rows, f'{kind}_{key}'), draw='both')
                for kind in ('fresh', 'test')
            ],
        )
        for title, key, label in (
            ('Errors of energies', _ENERGY, 'root mean square (meV/atom)'),
            ('Errors of forces', _FORCE, 'root mean square (eV/Å)'),
        )
    ]
    return [labels, *errors, _stops(rows), _times(rows), *_thresholds(rows)]


def _stops(rows: Sequence[Mapping[str, Any]]) -> Chart:
    # Until an iteration has ended, the number of those that stopped is not known.
    fractions = [
        row['n_stopped'] / row['n_trajectories'] if row['median_time_ps'] is not None else None for row in rows
    ]
    return Chart(
        title='Trajectories that the ensemble stopped',
        x=_ITERATION,
        y=Axis(label='fraction', begins_at_zero=True),
        series=[_series('stopped by disagreement', rows, fractions, draw='both')],
    )


def _times(rows: Sequence[Mapping[str, Any]]) -> Chart:
    return Chart(
        title='Median time to the end of a trajectory',
        x=_ITERATION,
        y=Axis(label='time (ps)', begins_at_zero=True),
        series=[_series('median', rows, _values(rows, 'median_time_ps'), draw='both')],
    )


def _thresholds(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Return the chart of the threshold of the disagreement."""
    thresholds = _values(rows, 'threshold_ev_per_sqrt_atom')
    if all(value is None for value in thresholds):
        return []
    threshold = _series('energy', rows, thresholds, draw='both')
    label = Axis(label='disagreement (eV/√atom)', begins_at_zero=True)
    return [Chart(title='Threshold of the disagreement', x=_ITERATION, y=label, series=[threshold])]


def _series(name: str, rows: Sequence[Mapping[str, Any]], values: Sequence[Any], *, draw: Any) -> Series:
    return Series(name=name, x=_values(rows, 'index'), y=values, draw=draw, of='iterations', rows=range(len(rows)))


def _values(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    return [row[key] for row in rows]


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = [[_text(row[key], digits) for _, key, digits in _COLUMNS] for row in rows]
    headings = [heading for heading, *_ in _COLUMNS]
    return Table(
        headings=headings, rows=cells, caption='The campaign by iteration', of='iterations', records=range(len(rows))
    )


def _text(value: Any, digits: int) -> str:
    if value is None:
        return '–'  # noqa: RUF001 - a dash in a table
    return f'{value:.{digits}f}' if isinstance(value, float) else str(value)


def time_section(sources: PageSources) -> Section:
    """Return the section on where the time went."""
    pace = sources.status['pace']
    shares = sorted(pace['time_shares'].items(), key=lambda item: -item[1])
    cores = pace['cores_busy']
    busy = (('two or more', cores['two_or_more']), ('one', cores['one']), ('none', cores['none']))
    return Section(
        key='time',
        title='Where the time went',
        paragraphs=pace_lines(pace)[:1],
        tables=(
            _shares('what was done', 'Time by what was done', shares),
            _shares('cores', 'Time by the cores that were busy', busy),
        ),
    )


def _shares(heading: str, caption: str, shares: Sequence[tuple[str, float]]) -> Table:
    rows = [(name, f'{share:.0%}', Bar(share)) for name, share in shares]
    return Table(headings=(heading, 'share', ''), rows=rows, caption=caption)
