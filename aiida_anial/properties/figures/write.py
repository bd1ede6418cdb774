"""All figures of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.figures.curves import bands_figure, curve_figure
from aiida_anial.properties.figures.points import points_figure, sizes_figure
from aiida_anial.properties.figures.style import RC, save_figure, subject_styles
from aiida_anial.properties.panels import Bands, Curve, Panel, Points, Sizes
from aiida_anial.properties.registry import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ('make_figures', 'write_figures')


def write_figures(subjects: Sequence[Subject], folder: Path) -> list[Path]:
    """Write every figure for which a subject has data as PNG and SVG.

    The same results give the same bytes.

    :param subjects: subjects to draw; their order determines their colours.
    :param folder: folder of the files, created if it is missing.
    :return: the files, in the order in which they were written.
    """
    import matplotlib.style

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.style.context(RC):
        return [path for name, figure in make_figures(subjects) for path in save_figure(figure, folder, name)]


def make_figures(subjects: Sequence[Subject]) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of every figure for which a subject has data, in the order of the properties."""
    styles = subject_styles(subjects)
    for name, panels in figures().items():
        shown = [(of, panel) for of, panel in panels if any(panel.is_in(subject.result(of)) for subject in subjects)]
        if shown:
            yield name, _drawing(panels)(shown, subjects, styles)


def _drawing(panels: Sequence[tuple[str, Panel]]) -> Callable[..., Figure]:
    """Return the function that draws the panels of a figure, which are all of one class."""
    drawings: dict[type[Panel], Callable[..., Any]] = {
        Curve: partial(curve_figure, n_panels=len(panels)),
        Points: points_figure,
        Sizes: sizes_figure,
        Bands: bands_figure,
    }
    return drawings[type(panels[0][1])]
