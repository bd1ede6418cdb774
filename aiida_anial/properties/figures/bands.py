"""Frequencies: dispersion and density of states, in the manner of figure 5 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.style import SubjectStyle, add_legend, draw_literature
from aiida_anial.properties.panels import Bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('bands_figure',)

# DFT is drawn as points: one of so many along the path.
_SPARSE = 5


def bands_figure(
    panels: Sequence[tuple[str, Bands]], subjects: Sequence[Subject], styles: Sequence[SubjectStyle]
) -> Figure:
    """Return a row for each panel: dispersion, and density of states.

    The path is that of the first of the subjects: the others, whose lattice constants differ, are stretched onto it.
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
    """Draw the branches of all subjects, and the literature at the named points."""
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
    axis.set(xlim=(0, ticks[-1]), ylim=(1.1 * min(lowest, 0.0), 1.1 * highest), ylabel=panel.y_label)
    axis.axhline(0.0, color='0.5', linewidth=0.8)
    if panel.title:
        axis.set_title(panel.title)


def _draw_branches(
    axis: Axes, distances: NDArray[np.float64], frequencies: NDArray[np.float64], style: SubjectStyle
) -> None:
    """Draw the branches, whose label counts once.

    :param distances: ``[K]``.
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
