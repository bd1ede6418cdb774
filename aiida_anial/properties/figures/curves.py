"""Curves: a number against a coordinate, in the manner of figures 2 and 3 of the paper.

See Smith et al., Nat. Commun. 12, 1257 (2021), doi:10.1038/s41467-021-21376-0.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.style import SubjectStyle, add_legend, draw_literature, hide_repeated_labels
from aiida_anial.properties.panels import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('curve_figure', 'draw_curve')

Array = NDArray[np.float64]

_FINE = 201
_MIN_FOR_SPLINE = 4
_MAX_IN_ROW = 3


def curve_figure(
    panels: Sequence[tuple[str, Curve]],
    subjects: Sequence[Subject],
    styles: Sequence[SubjectStyle],
    *,
    n_panels: int,
) -> Figure:
    """Return panels in rows; labels that are the same stand at the outer edges only.

    :param panels: those that are shown, with the names of their properties.
    :param n_panels: number of panels that the figure has when all are shown: it decides how many stand in a row.
    """
    from matplotlib.figure import Figure

    columns = min(n_panels if n_panels <= _MAX_IN_ROW else ceil(sqrt(n_panels)), len(panels))
    rows = ceil(len(panels) / columns)
    width = 5.0 if columns == 1 else min(3.6 * columns, 11.0)
    figure = Figure(figsize=(width, 0.5 + (3.0 if columns <= _MAX_IN_ROW else 2.4) * rows), layout='constrained')
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (name, panel) in zip(axes, panels, strict=False):
        draw_curve(axis, subjects, styles, name, panel)
    for axis in axes[len(panels) :]:
        axis.remove()
    hide_repeated_labels(axes[: len(panels)], columns)
    add_legend(figure, styles)
    return figure


def draw_curve(
    axis: Axes, subjects: Sequence[Subject], styles: Sequence[SubjectStyle], name: str, panel: Curve
) -> None:
    """Draw every subject that has the curve, with its disagreement as a band, or as bars on the points of DFT."""
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
    """Draw one subject: dots where it was computed, and a cubic spline through them."""
    if style.is_points:
        bars = spread if np.any(spread > 0) else None
        axis.errorbar(
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
        return
    from scipy.interpolate import CubicSpline, PchipInterpolator

    fine, line, width = x, y, spread
    if len(x) >= _MIN_FOR_SPLINE and np.all(np.diff(x) > 0):
        fine = np.linspace(x[0], x[-1], _FINE)
        line, width = CubicSpline(x, y)(fine), PchipInterpolator(x, spread)(fine)
    axis.plot(fine, line, color=style.colour, linestyle=style.line, label=style.label)
    axis.plot(x, y, color=style.colour, linestyle='none', marker='o', markersize=2.5)
    if np.any(width > 0):
        axis.fill_between(fine, line - width, line + width, color=style.colour, alpha=0.2, linewidth=0)
