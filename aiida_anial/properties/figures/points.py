"""Quantities side by side, and quantities against the inverse size of the cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.figures.style import (
    LITERATURE_COLOUR,
    SubjectStyle,
    add_legend,
    draw_literature,
    mark_missing,
    mark_spread,
)
from aiida_anial.properties.panels import Points, Sizes
from aiida_anial.properties.quantity import PropertyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('points_figure', 'sizes_figure')

# Fraction of the distance between two categories over which the marks of one are spread.
_SPREAD = 0.6

_LOGARITHMIC_TICKS = (-500, -200, -100, -50, -20, -10, 0, 10, 20, 50, 100, 200, 500, 1000)


def points_figure(
    panels: Sequence[tuple[str, Points]], subjects: Sequence[Subject], styles: Sequence[SubjectStyle]
) -> Figure:
    """Return a figure with panels in a row: quantities are categories, with the subjects side by side in each."""
    from matplotlib.figure import Figure

    widths = [panel.width for _, panel in panels]
    height = 3.2 if all(len(panel.labels) == 1 for _, panel in panels) else 3.8
    figure = Figure(figsize=(1.0 + sum(widths), height), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
    for axis, (name, panel) in zip(axes, panels, strict=True):
        _draw_points(axis, subjects, styles, name, panel)
    add_legend(figure, styles)
    return figure


def _draw_points(
    axis: Axes, subjects: Sequence[Subject], styles: Sequence[SubjectStyle], name: str, panel: Points
) -> None:
    """Draw one panel: all quantities that a subject has, first of the subjects, then of the literature."""
    found = {key for subject in subjects for key in subject.result(name).quantities}
    shown = [key for key in panel.labels if key in found]
    literature = [references(name, key) for key in shown]
    sources = list(dict.fromkeys(one.source for there in literature for one in there))
    n_marks = len(subjects) + len(sources)
    offsets = [_SPREAD * ((index + 0.5) / n_marks - 0.5) for index in range(n_marks)]
    for subject, style, offset in zip(subjects, styles, offsets, strict=False):
        _draw_subject(axis, subject.result(name), style, shown, offset)
    for index, there in enumerate(literature):
        for one in there:
            draw_literature(axis, index + offsets[len(subjects) + sources.index(one.source)], [one])
    axis.set_xticks(np.arange(len(shown)), [panel.labels[key] for key in shown])
    axis.set_xlim(-0.6, len(shown) - 0.4)
    axis.grid(visible=False, axis='x')
    _finish_points(axis, subjects, name, panel)


def _draw_subject(axis: Axes, result: PropertyResult, style: SubjectStyle, shown: Sequence[str], offset: float) -> None:
    """Draw the quantities of one subject."""
    found = result.quantities
    if found.keys().isdisjoint(shown):
        return
    bars = [(found[key].uncertainty or 0.0) if key in found else 0.0 for key in shown]
    for index, key in enumerate(shown):
        if key not in found:
            mark_missing(axis, index + offset, style)
    drawn = axis.errorbar(
        np.arange(len(shown)) + offset,
        [found[key].value if key in found else np.nan for key in shown],
        bars if any(bars) else None,
        color=style.colour,
        marker=style.marker,
        markerfacecolor='none' if style.is_points else style.colour,
        linestyle='none',
        markersize=5,
        label=style.label,
    )
    for line in drawn[2]:
        mark_spread(line)


def _finish_points(axis: Axes, subjects: Sequence[Subject], name: str, panel: Points) -> None:
    """Draw horizontal lines, and set up the ordinate."""
    for quantity, of_what in panel.levels.items():
        for one in references(name, quantity):
            label = f'{one.label}, {of_what}'
            axis.axhline(one.value.value, color=LITERATURE_COLOUR, linestyle=(0, (1, 2)), label=label)
    if len(panel.labels) == 1:
        axis.margins(y=0.2)
    if panel.linear_below is not None:
        results = [subject.result(name).quantities for subject in subjects]
        values = [found[key].value for found in results for key in panel.labels if key in found]
        axis.set_yscale('symlog', linthresh=panel.linear_below)
        axis.set_yticks(_LOGARITHMIC_TICKS, [f'{tick}' for tick in _LOGARITHMIC_TICKS])
        axis.set_ylim(min(1.5 * min(values), -panel.linear_below / 2), max(1.5 * max(values), panel.linear_below))
    if panel.zero:
        axis.axhline(0.0, color='0.5', linewidth=0.8)
    axis.set_ylabel(panel.y_label)
    if panel.title:
        axis.set_title(panel.title)


def sizes_figure(
    panels: Sequence[tuple[str, Sizes]], subjects: Sequence[Subject], styles: Sequence[SubjectStyle]
) -> Figure:
    """Return a figure with panels in a row: values against the inverse size of the cell, with their limits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.8 + 3.6 * len(panels), 3.6), layout='constrained')
    for axis, (name, panel) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        for subject, style in zip(subjects, styles, strict=True):
            if panel.is_in(subject.result(name)):
                _draw_sizes(axis, subject.result(name), style, panel)
        draw_literature(axis, 0.0, references(name, panel.literature))
        axis.set_xlim(left=-0.05 * axis.get_xlim()[1])
        axis.set(xlabel=panel.x_label, ylabel=panel.y_label)
        axis.set_title(panel.title)
    add_legend(figure, styles)
    return figure


def _draw_sizes(axis: Axes, result: PropertyResult, style: SubjectStyle, panel: Sizes) -> None:
    """Draw one subject; its line ends at the limit for an infinite cell."""
    x, y = 1 / result.curves[panel.n], result.curves[panel.y]
    bars = result.curves.get(panel.disagreement, np.zeros(len(x)))
    infinite = result.quantities.get(panel.limit)
    if infinite is not None:
        x, y = np.append(x, 0.0), np.append(y, infinite.value)
        bars = np.append(bars, infinite.uncertainty or 0.0)
    drawn = axis.errorbar(
        x,
        y,
        bars if np.any(bars > 0) else None,
        color=style.colour,
        marker=style.marker,
        markerfacecolor='none' if style.is_points else style.colour,
        markersize=4.5,
        linestyle=style.line,
        label=style.label,
    )
    for line in drawn[2]:
        mark_spread(line)
