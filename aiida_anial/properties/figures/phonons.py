"""Phonons: dispersion and density of states, in the manner of figure 5 of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.style import SubjectStyle, add_legend, draw_literature
from aiida_anial.properties.phonons import TICK_LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('phonon_figures',)

_DISTANCE, _FREQUENCIES, _TICKS = 'distance_per_angstrom', 'frequencies_thz', 'tick_distances_per_angstrom'
_DOS_FREQUENCY, _DOS = 'dos_frequency_thz', 'dos_per_thz'
_NEEDED = (_DISTANCE, _FREQUENCIES, _TICKS, _DOS_FREQUENCY, _DOS)

# DFT is drawn as points: one of so many along the path.
_SPARSE = 5


def phonon_figures(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Iterator[tuple[str, Figure]]:
    """Give name and figure, if any of the subjects has phonons.

    The path is that of the first of them: the others, whose lattice constants differ, are stretched onto it.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shown = [
        (subject.result('phonons').curves, style)
        for subject, style in zip(subjects, styles, strict=True)
        if all(name in subject.result('phonons').curves for name in _NEEDED)
    ]
    if not shown:
        return
    figure = Figure(figsize=(8, 4), layout='constrained')
    dispersion, states = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    ticks = shown[0][0][_TICKS]
    for curves, style in shown:
        distances = np.interp(curves[_DISTANCE], curves[_TICKS], ticks)
        _draw_dispersion(dispersion, distances, curves[_FREQUENCIES], style)
        line = '-' if style.is_points else style.line
        states.plot(curves[_DOS], curves[_DOS_FREQUENCY], color=style.colour, linestyle=line)
    for name, position in (('x', ticks[TICK_LABELS.index('X')]), ('l', ticks[TICK_LABELS.index('L')])):
        for polarisation in ('longitudinal', 'transverse'):
            draw_literature(dispersion, float(position), references('phonons', f'{name}_{polarisation}'))
    dispersion.set_xticks(ticks, [label.replace('Gamma', 'Γ') for label in TICK_LABELS])
    lowest = min(float(curves[_FREQUENCIES].min()) for curves, _ in shown)
    highest = max(float(curves[_FREQUENCIES].max()) for curves, _ in shown)
    dispersion.set(xlim=(0, ticks[-1]), ylim=(1.1 * min(lowest, 0.0), 1.1 * highest), ylabel='frequency (THz)')
    dispersion.axhline(0.0, color='0.5', linewidth=0.8)
    states.xaxis.set_major_locator(MaxNLocator(3, prune='lower'))
    states.set(xlabel='density of states (1/THz)', xlim=(0, None))
    add_legend(figure, styles)
    yield 'phonons', figure


def _draw_dispersion(
    axis: Axes, distances: NDArray[np.float64], frequencies: NDArray[np.float64], style: SubjectStyle
) -> None:
    """Draw the branches, whose label counts once.

    :param distances: ``[K]``.
    :param frequencies: ``[K, 3]`` in THz.
    """
    for branch, label in zip(frequencies.T, (style.label, None, None), strict=True):
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
