"""The panels of properties as charts; matplotlib draws the same for releases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from aiida_anial.properties.comparison.references import Reference, references
from aiida_anial.properties.comparison.results import DFT_KIND, Subject
from aiida_anial.properties.panels import Bands, Curve, Panel, Points, Sizes
from aiida_anial.properties.registry import figures
from aiida_anial.report.page.elements import Axis, Chart, Series

__all__ = ('panel_charts',)

_TEXT_COLOUR: Final = -1
_LITERATURE_COLOUR: Final = -2
# Part of the distance between two quantities over which the points of one are spread.
_SPREAD: Final = 0.6


def panel_charts(subjects: Sequence[Subject], rows: Mapping[tuple[str, str], int]) -> Iterator[Chart]:
    """Yield a chart for each panel for which a subject has data, in the order of the properties.

    :param rows: row of each result in the records ``results``, by subject and property.
    """
    draw: dict[type[Panel], Callable[..., Chart]] = {Curve: _curve, Points: _points, Sizes: _sizes, Bands: _bands}
    for name, panels in figures().items():
        for of_property, panel in panels:
            shown = [
                (subject, _colour(subjects, subject))
                for subject in subjects
                if panel.is_in(subject.result(of_property))
            ]
            if shown:
                is_only = sum(not other.title for _, other in panels) == 1
                chart = draw[type(panel)](panel, of_property, shown, _title(name, panel, is_only=is_only))
                yield replace(chart, series=[_linked(one, of_property, rows) for one in chart.series])


def _linked(series: Series, of_property: str, rows: Mapping[tuple[str, str], int]) -> Series:
    """Return a series whose points show the result that they are from, if it is in the graph."""
    row = rows.get((series.name, of_property))
    return series if row is None else replace(series, of='results', rows=[row] * len(series.x))


def _title(figure: str, panel: Any, *, is_only: bool) -> str:
    """Return the title of a chart, which no other has.

    :param is_only: whether this is the only panel of its figure without a title.
    """
    text = figure.replace('_', ' ').capitalize()
    own = panel.title or ('' if is_only else panel.y_label.partition(' (')[0])
    return f'{text}: {own}' if own and own.lower() != text.lower() else text


def _colour(subjects: Sequence[Subject], subject: Subject) -> int:
    """Return the colour of a subject, which is the same in all charts."""
    others = [one.name for one in subjects if one.kind != DFT_KIND]
    return _TEXT_COLOUR if subject.kind == DFT_KIND else others.index(subject.name)


_Shown = Sequence[tuple[Subject, int]]


def _curve(panel: Curve, name: str, shown: _Shown, title: str) -> Chart:
    series = []
    for subject, colour in shown:
        curves = subject.result(name).curves
        spread = panel.scale * curves[panel.disagreement] if panel.disagreement in curves else None
        series.append(
            Series(
                name=subject.name,
                x=curves[panel.x].tolist(),
                y=(panel.scale * curves[panel.y]).tolist(),
                spread=spread.tolist() if spread is not None and np.any(spread > 0) else None,
                draw='points' if colour == _TEXT_COLOUR else 'both',
                colour=colour,
            )
        )
    at = [(position, one) for position, quantity in panel.literature.items() for one in references(name, quantity)]
    ticks = {float(position): text for position, text in panel.ticks.items()}
    x_axis = Axis(label=panel.x_label, ticks=ticks)
    return Chart(title=title, x=x_axis, y=Axis(label=panel.y_label), series=[*series, *_literature(at)])


def _literature(at: Sequence[tuple[float, Reference]]) -> list[Series]:
    """Return a series for each source of literature values.

    :param at: abscissa of each value.
    """
    found = []
    for label in dict.fromkeys(one.label for _, one in at):
        own = [(x, one.value) for x, one in at if one.label == label]
        found.append(
            Series(
                name=label,
                x=[x for x, _ in own],
                y=[value.value for _, value in own],
                spread=_uncertainties([value for _, value in own]),
                colour=_LITERATURE_COLOUR,
            )
        )
    return found


def _uncertainties(quantities: Sequence[Any]) -> list[float] | None:
    spread = [one.uncertainty or 0.0 for one in quantities]
    return spread if any(spread) else None


def _points(panel: Points, name: str, shown: _Shown, title: str) -> Chart:
    found = {key for subject, _ in shown for key in subject.result(name).quantities}
    keys = [key for key in panel.labels if key in found]
    step = _SPREAD / max(len(shown), 1)
    series = []
    for index, (subject, colour) in enumerate(shown):
        own = subject.result(name).quantities
        there = [key for key in keys if key in own]
        offset = step * (index + 0.5) - _SPREAD / 2
        series.append(
            Series(
                name=subject.name,
                x=[keys.index(key) + offset for key in there],
                y=[own[key].value for key in there],
                spread=_uncertainties([own[key] for key in there]),
                colour=colour,
            )
        )
    at = [(float(index), one) for index, key in enumerate(keys) for one in references(name, key)]
    levels = {
        one.value.value: f'{one.label}, {text}' for key, text in panel.levels.items() for one in references(name, key)
    }
    ticks = {float(index): panel.labels[key] for index, key in enumerate(keys)}
    return Chart(
        title=title,
        x=Axis(label='', ticks=ticks),
        y=Axis(label=panel.y_label),
        series=[*series, *_literature(at)],
        levels=levels,
    )


def _sizes(panel: Sizes, name: str, shown: _Shown, title: str) -> Chart:
    series = []
    for subject, colour in shown:
        result = subject.result(name)
        x, y = 1 / result.curves[panel.n], result.curves[panel.y]
        spread = result.curves.get(panel.disagreement, np.zeros(len(x)))
        if (limit := result.quantities.get(panel.limit)) is not None:
            x, y, spread = np.append(x, 0.0), np.append(y, limit.value), np.append(spread, limit.uncertainty or 0.0)
        series.append(
            Series(name=subject.name, x=x.tolist(), y=y.tolist(), spread=spread.tolist(), draw='both', colour=colour)
        )
    at = [(0.0, one) for one in references(name, panel.literature)]
    x_axis, y_axis = Axis(label=panel.x_label), Axis(label=panel.y_label)
    return Chart(title=title, x=x_axis, y=y_axis, series=[*series, *_literature(at)])


def _bands(panel: Bands, name: str, shown: _Shown, title: str) -> Chart:
    """Return the chart of the dispersion; the path is that of the first subject, as in the figures of a release."""
    ticks = shown[0][0].result(name).curves[panel.ticks]
    series = []
    for subject, colour in shown:
        curves = subject.result(name).curves
        distances = np.interp(curves[panel.distance], curves[panel.ticks], ticks)
        # One series for all branches, so that the legend has one entry: a missing point ends a branch.
        x = np.concatenate([np.append(distances, np.nan) for _ in curves[panel.frequencies].T])
        y = np.concatenate([np.append(branch, np.nan) for branch in curves[panel.frequencies].T])
        drawn: Any = 'points' if colour == _TEXT_COLOUR else 'line'
        series.append(Series(name=subject.name, x=x.tolist(), y=y.tolist(), draw=drawn, colour=colour))
    at = [
        (float(ticks[index]), one)
        for index, quantities in panel.literature.items()
        for quantity in quantities
        for one in references(name, quantity)
    ]
    names = [label.replace('Gamma', 'Γ') for label in panel.tick_labels]
    x_axis = Axis(label='wave vector', ticks=dict(zip(map(float, ticks), names, strict=True)))
    return Chart(title=title, x=x_axis, y=Axis(label=panel.y_label), series=[*series, *_literature(at)])
