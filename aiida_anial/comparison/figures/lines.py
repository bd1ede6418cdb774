"""Panels with a line a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from aiida_anial.comparison.figures.style import LITERATURE, LITERATURE_COLOUR, SubjectStyle
from aiida_anial.comparison.references import Reference
from aiida_anial.comparison.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ('Panel', 'draw_literature', 'draw_panel', 'has_panel')

_Array = NDArray[np.float64]

_FINE = 201
_MIN_FOR_SPLINE = 4


@dataclass(frozen=True)
class Panel:
    """What a panel shows of a property.

    :param property_name: such as ``bain``.
    :param x: name of the curve with the abscissae.
    :param y: name of the curve with the ordinates.
    :param x_label: with its unit.
    :param y_label: with its unit.
    :param title: above the panel.
    :param disagreement: name of the curve with the standard deviation over members, in the unit of the ordinates.
    :param scale: from the unit of the curves to that of the label.
    :param ticks: names of points on the abscissa, for the upper edge.
    """

    property_name: str
    x: str
    y: str
    x_label: str
    y_label: str
    title: str = ''
    disagreement: str = ''
    scale: float = 1.0
    ticks: Mapping[float, str] = field(default_factory=dict)


def has_panel(subject: Subject, panel: Panel) -> bool:
    """Return whether the subject has what the panel shows."""
    curves = subject.result(panel.property_name).curves
    return panel.x in curves and panel.y in curves


def draw_panel(axis: Axes, subjects: Sequence[Subject], styles: Sequence[SubjectStyle], panel: Panel) -> None:
    """Draw every subject that has the curve, with its disagreement as a band, or as bars on the points of DFT."""
    for subject, style in zip(subjects, styles, strict=True):
        if has_panel(subject, panel):
            curves = subject.result(panel.property_name).curves
            spread = curves.get(panel.disagreement, np.zeros(len(curves[panel.x])))
            _draw_curve(axis, curves[panel.x], panel.scale * curves[panel.y], panel.scale * spread, style)
    axis.set(xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.title:
        axis.set_title(panel.title)
    if panel.ticks:
        upper = axis.secondary_xaxis('top')
        upper.set_xticks(list(panel.ticks), list(panel.ticks.values()))
        for position in panel.ticks:
            axis.axvline(position, color='0.8', linewidth=0.8, zorder=0)


def draw_literature(axis: Axes, position: float, literature: Sequence[Reference]) -> None:
    """Draw numbers of the literature at one abscissa."""
    for one in literature:
        if one.kind in LITERATURE:
            axis.errorbar(
                position,
                one.value.value,
                one.value.uncertainty,
                marker=LITERATURE[one.kind],
                color=LITERATURE_COLOUR,
                markerfacecolor='none' if one.kind != 'experiment' else LITERATURE_COLOUR,
                markersize=9 if one.kind == 'experiment' else 6,
                linestyle='none',
                label=one.label,
                clip_on=False,
                zorder=5,
            )


def _draw_curve(axis: Axes, x: _Array, y: _Array, spread: _Array, style: SubjectStyle) -> None:
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
    fine, line, width = x, y, spread
    if len(x) >= _MIN_FOR_SPLINE and np.all(np.diff(x) > 0):
        fine = np.linspace(x[0], x[-1], _FINE)
        line, width = CubicSpline(x, y)(fine), PchipInterpolator(x, spread)(fine)
    axis.plot(fine, line, color=style.colour, linestyle=style.line, label=style.label)
    axis.plot(x, y, color=style.colour, linestyle='none', marker='o', markersize=2.5)
    if np.any(width > 0):
        axis.fill_between(fine, line - width, line + width, color=style.colour, alpha=0.2, linewidth=0)
