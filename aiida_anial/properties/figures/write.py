"""All figures of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.bands import bands_figure
from aiida_anial.properties.figures.curves import curve_figure
from aiida_anial.properties.figures.points import points_figure, sizes_figure
from aiida_anial.properties.figures.style import RC, save_figure, subject_styles
from aiida_anial.properties.panels import Bands, Curve, Panel, Points, Sizes
from aiida_anial.properties.registry import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ('make_figures', 'write_figures')


def write_figures(subjects: Sequence[Subject], folder: Path) -> list[Path]:
    """Write a PNG and an SVG of every figure that any of the subjects has data for.

    The same results give the same bytes.

    :param subjects: their order decides their colours.
    :param folder: is made if it is missing.
    :return: the files, in the order in which they were written.
    """
    import matplotlib.style

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.style.context(RC):
        return [path for name, figure in make_figures(subjects) for path in save_figure(figure, folder, name)]


def make_figures(subjects: Sequence[Subject]) -> Iterator[tuple[str, Figure]]:
    """Give name and figure of everything that any of the subjects has, in the order of the properties."""
    styles = subject_styles(subjects)
    for name, panels in figures().items():
        shown = [(of, panel) for of, panel in panels if any(panel.is_in(subject.result(of)) for subject in subjects)]
        if shown:
            yield name, _drawing(panels)(shown, subjects, styles)


def _drawing(panels: Sequence[tuple[str, Panel]]) -> Callable[..., Figure]:
    """Return what draws the panels of a figure, which are of one kind."""
    drawings: dict[type[Panel], Callable[..., Any]] = {
        Curve: partial(curve_figure, n_panels=len(panels)),
        Points: points_figure,
        Sizes: sizes_figure,
        Bands: bands_figure,
    }
    return drawings[type(panels[0][1])]
