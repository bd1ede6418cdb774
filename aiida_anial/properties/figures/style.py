"""Colours, line styles and axes that all figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from aiida_anial.properties.comparison.references import Kind, Reference
from aiida_anial.properties.comparison.subject import DFT_KIND, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure
if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = (
    'LITERATURE',
    'LITERATURE_COLOUR',
    'RC',
    'Panel',
    'SubjectStyle',
    'add_legend',
    'draw_literature',
    'draw_panel',
    'has_panel',
    'save_figure',
    'subject_styles',
)

# M. Okabe and K. Ito's colours, which the colour-blind tell apart, without their black, which is that of DFT.
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
_LINES = ('-', '--', '-.', ':')
_MARKERS = ('o', 's', '^', 'v', 'D', 'P', 'X')
_DFT_COLOUR = 'black'

LITERATURE: dict[Kind, str] = {'experiment': '*', 'dft': 'D', 'ani_al': 'P'}
"""Markers of the kinds of literature that figures show; classical potentials are left to the tables."""

LITERATURE_COLOUR = '0.35'

# Whatever the user's own style is; without the salt, names inside an SVG would be random.
RC: list[Any] = [
    'default',
    {
        'axes.grid': True,
        'axes.axisbelow': True,
        'axes.titlesize': 10,
        'axes.titlelocation': 'left',
        'errorbar.capsize': 2.0,
        'font.size': 9,
        'grid.alpha': 0.3,
        'legend.fontsize': 9,
        'legend.frameon': False,
        'lines.linewidth': 1.5,
        'savefig.dpi': 150,
        'svg.hashsalt': 'aiida-anial',
    },
]
"""Of ``matplotlib.style.context``."""

# Neither a date nor a version of matplotlib stands in a file.
_METADATA: dict[str, dict[str, Any]] = {
    'png': {'Software': None},
    'svg': {'Date': None, 'Creator': None},
}

# In inches: of the mark of a legend's entry, and of a letter.
_MARK_WIDTH, _LETTER_WIDTH = 0.7, 0.08


@dataclass(frozen=True)
class SubjectStyle:
    """How one subject is drawn.

    :param is_points: DFT is points without a line, for the others to lie on.
    """

    label: str
    colour: str
    line: str
    marker: str
    is_points: bool


def subject_styles(subjects: Sequence[Subject]) -> list[SubjectStyle]:
    """Return the style of each subject: it follows from their order."""
    styles = []
    n_lines = 0
    for subject in subjects:
        if subject.kind == DFT_KIND:
            styles.append(SubjectStyle(subject.name, _DFT_COLOUR, 'none', 'o', is_points=True))
            continue
        colour, line = _COLOURS[n_lines % len(_COLOURS)], _LINES[n_lines % len(_LINES)]
        marker = _MARKERS[1:][n_lines % (len(_MARKERS) - 1)]
        styles.append(SubjectStyle(subject.name, colour, line, marker, is_points=False))
        n_lines += 1
    return styles


def add_legend(figure: Figure, styles: Sequence[SubjectStyle]) -> None:
    """Put one legend for all panels above them, where it covers no data: first the subjects, then the literature."""
    handles: dict[str, Any] = dict.fromkeys(style.label for style in styles)
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles[label] = handles.get(label) or handle
    shown = {label: handle for label, handle in handles.items() if handle is not None}
    widest = _MARK_WIDTH + _LETTER_WIDTH * max(map(len, shown))
    columns = min(len(shown), max(1, int(figure.get_figwidth() / widest)))
    figure.legend(list(shown.values()), list(shown), loc='outside upper center', ncols=columns)


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, and return their paths."""
    paths = []
    for suffix, metadata in _METADATA.items():
        paths.append(folder / f'{name}.{suffix}')
        figure.savefig(paths[-1], metadata=metadata)
    return paths


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
