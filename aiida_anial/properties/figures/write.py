"""All figures of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.curves import curve_figures
from aiida_anial.properties.figures.phonons import phonon_figures
from aiida_anial.properties.figures.points import point_figures
from aiida_anial.properties.figures.style import RC, save_figure, subject_styles

__all__ = ('write_figures',)


def write_figures(subjects: Sequence[Subject], folder: Path) -> list[Path]:
    """Write a PNG and an SVG of every figure that any of the subjects has data for.

    The same results give the same bytes.

    :param subjects: their order decides their colours.
    :param folder: is made if it is missing.
    :return: the files, in the order in which they were written.
    """
    import matplotlib.style

    folder.mkdir(parents=True, exist_ok=True)
    styles = subject_styles(subjects)
    paths = []
    with matplotlib.style.context(RC):
        for figures in (curve_figures, phonon_figures, point_figures):
            for name, figure in figures(subjects, styles):
                paths += save_figure(figure, folder, name)
    return paths
