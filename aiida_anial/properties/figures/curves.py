"""Curves: a number against a coordinate, and phonon dispersions, in the style of figures 2, 3 and 5 of the paper.

See Smith et al., Nat. Commun. 12, 1257 (2021), doi:10.1038/s41467-021-21376-0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.figures.style import SubjectStyle, add_legend, draw_literature, mark_spread
from aiida_anial.properties.panels import Bands, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('bands_figure', 'curve_figure', 'draw_curve')

Array = NDArray[np.float64]

_FINE = 201
_MIN_FOR_SPLINE = 4
_MAX_IN_ROW = 3
# DFT is drawn as points, at every fifth wave vector.
_SPARSE = 5


def curve_figure(
    panels: Sequence[tuple[str, Curve]],
    subjects: Sequence[Subject],
    styles: Sequence[SubjectStyle],
    *,
    n_panels: int,
) -> Figure:
    """Return a figure with panels in rows.

    :param panels: panels to draw, with the names of their properties.
    :param n_panels: number of panels when all are shown, which determines the number of columns.
    """
    from matplotlib.figure import Figure

    columns = min(n_panels if n_panels <= _MAX_IN_ROW else ceil(sqrt(n_panels)), len(panels))
    rows = ceil(len(panels) / columns)
    width = 5.0 if columns == 1 else min(3.6 * columns, 11.0)
    figure = Figure(figsize=(width, 0.5 + (3.0 if columns <= _MAX_IN_ROW else 2.4) * rows), layout='constrained')
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (name, panel) in zip(axes, panels, strict=False):
        draw_curve(axis, subjects, styles, name, panel)
    empty = axes[len(panels) :]
    for axis in empty[1:]:
        axis.remove()
    add_legend(figure, styles, empty[0] if empty else None)
    return figure


def draw_curve(
    axis: Axes, subjects: Sequence[Subject], styles: Sequence[SubjectStyle], name: str, panel: Curve
) -> None:
    """Draw the curves of all subjects, with their disagreement as a band, and DFT as points with error bars."""
    for subject, style in zip(subjects, styles, strict=True):
        if panel.is_in(subject.result(name)):
            curves = subject.result(name).curves
            spread = curves.get(panel.disagreement, np.zeros(len(curves[panel.x])))
            _draw_subject(axis, curves[panel.x], panel.scale * curves[panel.y], panel.scale * spread, style)
    axis.set(xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.title:
        axis.set_title(panel.title)
    if panel.ticks:
        upper = axis.secondary_xaxis('top')
        upper.set_xticks(list(panel.ticks), list(panel.ticks.values()))
        for position in panel.ticks:
            axis.axvline(position, color='0.8', linewidth=0.8, zorder=0)
    for position, quantity in panel.literature.items():
        draw_literature(axis, position, references(name, quantity))


def _draw_subject(axis: Axes, x: Array, y: Array, spread: Array, style: SubjectStyle) -> None:
    """Draw one subject: dots at the computed points, and a cubic spline through them."""
    if style.is_points:
        bars = spread if np.any(spread > 0) else None
        drawn = axis.errorbar(
            x,
            y,
            bars,
            marker=style.marker,
            color=style.colour,
            markerfacecolor='none',
            markersize=4.5,
            linestyle='none',
            label=style.label,
            zorder=4,
        )
        for line in drawn[2]:
            mark_spread(line)
        return
    from scipy.interpolate import CubicSpline, PchipInterpolator

    fine, line, width = x, y, spread
    if len(x) >= _MIN_FOR_SPLINE and np.all(np.diff(x) > 0):
        fine = np.linspace(x[0], x[-1], _FINE)
        line, width = CubicSpline(x, y)(fine), PchipInterpolator(x, spread)(fine)
    axis.plot(fine, line, color=style.colour, linestyle=style.line, label=style.label)
    axis.plot(x, y, color=style.colour, linestyle='none', marker='o', markersize=2.5)
    if np.any(width > 0):
        mark_spread(axis.fill_between(fine, line - width, line + width, color=style.colour, alpha=0.2, linewidth=0))


def bands_figure(
    panels: Sequence[tuple[str, Bands]], subjects: Sequence[Subject], styles: Sequence[SubjectStyle]
) -> Figure:
    """Return a figure with a row for each panel: dispersion and density of states.

    The path is that of the first subject; those of others are stretched onto it, because lattice constants differ.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4 * len(panels)), layout='constrained')
    rows = figure.subplots(len(panels), 2, sharey='row', width_ratios=(3, 1), squeeze=False)
    for (dispersion, states), (name, panel) in zip(rows, panels, strict=True):
        drawn = [
            (subject.result(name).curves, style)
            for subject, style in zip(subjects, styles, strict=True)
            if panel.is_in(subject.result(name))
        ]
        _draw_dispersion(dispersion, drawn, name, panel)
        for curves, style in drawn:
            line = '-' if style.is_points else style.line
            states.plot(curves[panel.states], curves[panel.states_frequency], color=style.colour, linestyle=line)
        states.xaxis.set_major_locator(MaxNLocator(3, prune='lower'))
        states.set(xlabel=panel.states_label, xlim=(0, None))
    add_legend(figure, styles)
    return figure


def _draw_dispersion(
    axis: Axes, drawn: Sequence[tuple[Mapping[str, NDArray[np.float64]], SubjectStyle]], name: str, panel: Bands
) -> None:
    """Draw the branches of all subjects, and literature values at the named points."""
    ticks = drawn[0][0][panel.ticks]
    for curves, style in drawn:
        distances = np.interp(curves[panel.distance], curves[panel.ticks], ticks)
        _draw_branches(axis, distances, curves[panel.frequencies], style)
    for index, quantities in panel.literature.items():
        for quantity in quantities:
            draw_literature(axis, float(ticks[index]), references(name, quantity))
    axis.set_xticks(ticks, [label.replace('Gamma', 'Γ') for label in panel.tick_labels])
    lowest = min(float(curves[panel.frequencies].min()) for curves, _ in drawn)
    highest = max(float(curves[panel.frequencies].max()) for curves, _ in drawn)
    axis.set(xlim=(0, ticks[-1]), ylim=(1.1 * min(lowest, 0.0), 1.1 * highest))
    axis.set(xlabel='wave vector', ylabel=panel.y_label)
    axis.axhline(0.0, color='0.5', linewidth=0.8)
    if panel.title:
        axis.set_title(panel.title)


def _draw_branches(
    axis: Axes, distances: NDArray[np.float64], frequencies: NDArray[np.float64], style: SubjectStyle
) -> None:
    """Draw the branches of one subject, with one entry in the legend.

    :param distances: ``[K]`` distances along the path, 1/angstrom.
    :param frequencies: ``[K, B]`` in THz.
    """
    for index, branch in enumerate(frequencies.T):
        label = None if index else style.label
        if style.is_points:
            x, y = distances[::_SPARSE], branch[::_SPARSE]
            axis.plot(
                x,
                y,
                color=style.colour,
                linestyle='none',
                marker=style.marker,
                markerfacecolor='none',
                markersize=3.5,
                label=label,
            )
        else:
            axis.plot(distances, branch, color=style.colour, linestyle=style.line, label=label)
