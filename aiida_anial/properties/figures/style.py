"""Colours, line styles, legends and files of all figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_anial.properties.comparison.references import Kind, Reference
from aiida_anial.properties.comparison.results import DFT_KIND, Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = (
    'LITERATURE',
    'LITERATURE_COLOUR',
    'RC',
    'SubjectStyle',
    'add_legend',
    'draw_literature',
    'hide_repeated_labels',
    'save_figure',
    'subject_styles',
)

# The colours of M. Okabe and K. Ito, which colour-blind readers can distinguish; their black is that of DFT.
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
_LINES = ('-', '--', '-.', ':')
_MARKERS = ('o', 's', '^', 'v', 'D', 'P', 'X')
_DFT_COLOUR = 'black'

LITERATURE: dict[Kind, str] = {'experiment': '*', 'dft': 'D', 'ani_al': 'P'}
"""Markers of literature values by kind; classical potentials are shown only in tables."""

LITERATURE_COLOUR = '0.35'

# Independent of the user's own style. Without the salt, names inside an SVG would be random.
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
"""Argument of ``matplotlib.style.context``."""

# Omits the date and the version of matplotlib, so that files are reproducible.
_METADATA: dict[str, dict[str, Any]] = {
    'png': {'Software': None},
    'svg': {'Date': None, 'Creator': None},
}

# Widths in inches of the mark in a legend entry, and of a letter.
_MARK_WIDTH, _LETTER_WIDTH = 0.7, 0.08


@dataclass(frozen=True)
class SubjectStyle:
    """The style of one subject.

    :param label: entry in the legend.
    :param colour: colour of lines and marks.
    :param line: style of lines.
    :param marker: marker of points.
    :param is_points: whether curves are drawn as points without a line, as for DFT.
    """

    label: str
    colour: str
    line: str
    marker: str
    is_points: bool


def subject_styles(subjects: Sequence[Subject]) -> list[SubjectStyle]:
    """Return the style of each subject, which depends on their order."""
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
    """Add one legend for all panels above them: first the subjects, then the literature."""
    handles: dict[str, Any] = dict.fromkeys(style.label for style in styles)
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles[label] = handles.get(label) or handle
    shown = {label: handle for label, handle in handles.items() if handle is not None}
    widest = _MARK_WIDTH + _LETTER_WIDTH * max(map(len, shown))
    columns = min(len(shown), max(1, int(figure.get_figwidth() / widest)))
    figure.legend(list(shown.values()), list(shown), loc='outside upper center', ncols=columns)


def hide_repeated_labels(axes: Sequence[Axes], columns: int) -> None:
    """Hide labels that the panel to the left, or the one below, repeats.

    :param axes: axes of the panels, row by row.
    :param columns: number of panels in a row.
    """
    x_labels, y_labels = ([getattr(axis, f'get_{side}label')() for axis in axes] for side in 'xy')
    for index, axis in enumerate(axes):
        if index % columns and y_labels[index] == y_labels[index - 1]:
            axis.set_ylabel('')
        below = index + columns
        if below < len(axes) and x_labels[index] == x_labels[below]:
            axis.set_xlabel('')


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, and return their paths."""
    paths = []
    for suffix, metadata in _METADATA.items():
        paths.append(folder / f'{name}.{suffix}')
        figure.savefig(paths[-1], metadata=metadata)
    return paths


def draw_literature(axis: Axes, position: float, literature: Sequence[Reference]) -> None:
    """Draw literature values at the abscissa ``position``."""
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
