"""Colours, line styles, legends and files of all figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_anial.properties.comparison.references import Kind, Reference, all_references
from aiida_anial.properties.comparison.results import DFT_KIND, Subject

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = (
    'LITERATURE_COLOUR',
    'RC',
    'SubjectStyle',
    'add_legend',
    'draw_literature',
    'mark_missing',
    'mark_spread',
    'save_figure',
    'subject_styles',
)

# The colours of M. Okabe and K. Ito, which colour-blind readers can distinguish; their black is that of DFT.
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
_LINES = ('-', '--', '-.', ':')
_MARKERS = ('o', 's', '^', 'v', 'D', 'P', 'X')
_DFT_COLOUR = 'black'

# Markers of sources by their kind; several sources of a kind take them in turn.
_LITERATURE: dict[Kind, str] = {'experiment': '*', 'dft': 'Dd', 'ani_al': 'P', 'eam': 'XH'}
# What artists are, for the legend; matplotlib writes it into an SVG as the name of a group.
_SPREAD, _MISSING = 'spread', 'missing'

LITERATURE_COLOUR = '0.35'

# Independent of the user's own style. Without the salt, names inside an SVG would be random.
RC: list[Any] = [
    'default',
    {
        'axes.grid': True,
        'axes.axisbelow': True,
        'axes.prop_cycle': f"cycler('color', {[one.removeprefix('#') for one in _COLOURS]})",
        'axes.titlesize': 10,
        'axes.titlelocation': 'left',
        'errorbar.capsize': 2.0,
        'font.size': 9,
        'grid.alpha': 0.3,
        'legend.fontsize': 9,
        'legend.frameon': False,
        'lines.linewidth': 1.5,
        'savefig.dpi': 300,
        'svg.hashsalt': 'aiida-anial',
    },
]
"""Argument of ``matplotlib.style.context``."""

# Omits the date and the version of matplotlib, so that files are reproducible.
_METADATA: dict[str, dict[str, Any]] = {
    'png': {'Software': None},
    'svg': {'Date': None, 'Creator': None},
}

# Sizes in inches: widths of the mark in a legend entry and of a letter, and height of a line.
_MARK_WIDTH, _LETTER_WIDTH, _LINE_HEIGHT = 0.7, 0.07, 0.2


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


def mark_spread(artist: Artist) -> None:
    """Mark a band or an error bar, which the legend then explains."""
    artist.set_gid(_SPREAD)


def mark_missing(axis: Axes, position: float, style: SubjectStyle) -> None:
    """Draw a cross at the lower edge, where a subject has no value."""
    (cross,) = axis.plot(
        position, 0.03, color=style.colour, marker='x', linestyle='none', transform=axis.get_xaxis_transform()
    )
    cross.set_gid(_MISSING)


def add_legend(figure: Figure, styles: Sequence[SubjectStyle], place: Axes | None = None) -> None:
    """Add one legend for all panels: first the subjects, then the literature, then what marks mean.

    :param place: an empty place among the panels; without one, the legend is above them.
    """
    handles: dict[str, Any] = dict.fromkeys(style.label for style in styles)
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles[label] = handles.get(label) or handle
    shown = {label: handle for label, handle in handles.items() if handle is not None} | _explained(figure)
    if place is not None:
        place.set_axis_off()
        place.legend(list(shown.values()), list(shown), loc='center', borderaxespad=0.0)
        return
    widest = _MARK_WIDTH + _LETTER_WIDTH * max(map(len, shown))
    columns = min(len(shown), max(1, int(figure.get_figwidth() / widest)))
    # The legend must not take its place from the panels.
    figure.set_figheight(figure.get_figheight() + _LINE_HEIGHT * (ceil(len(shown) / columns) - 1))
    figure.legend(list(shown.values()), list(shown), loc='outside upper center', ncols=columns)


def _explained(figure: Figure) -> dict[str, Any]:
    """Return entries of the legend for the marks in a figure that belong to no subject."""
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marked = figure.findobj(lambda one: one.get_gid() is not None)
    entries: dict[str, Any] = {}
    if spreads := [artist for artist in marked if artist.get_gid() == _SPREAD]:
        has_bands = any(isinstance(artist, PolyCollection) for artist in spreads)
        bar = Line2D([], [], color='0.5', marker='|', markersize=12, linestyle='none')
        entries['standard deviation'] = Patch(color='0.5', alpha=0.3) if has_bands else bar
    if any(artist.get_gid() == _MISSING for artist in marked):
        entries['not determined'] = Line2D([], [], color='0.5', marker='x', linestyle='none')
    return entries


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, and return their paths."""
    paths = []
    for suffix, metadata in _METADATA.items():
        paths.append(folder / f'{name}.{suffix}')
        figure.savefig(paths[-1], metadata=metadata)
    return paths


def draw_literature(axis: Axes, position: float, literature: Sequence[Reference]) -> None:
    """Draw literature values at the abscissa ``position``."""
    markers = _markers()
    for one in literature:
        axis.errorbar(
            position,
            one.value.value,
            one.value.uncertainty,
            marker=markers[one.source],
            color=LITERATURE_COLOUR,
            markerfacecolor='none' if one.kind != 'experiment' else LITERATURE_COLOUR,
            markersize=9 if one.kind == 'experiment' else 6,
            linestyle='none',
            label=one.label,
            clip_on=False,
            zorder=5,
        )


@cache
def _markers() -> dict[str, str]:
    """Return the marker of each source."""
    sources: dict[Kind, list[str]] = {}
    for one in all_references():
        if one.source not in sources.setdefault(one.kind, []):
            sources[one.kind].append(one.source)
    return {
        source: _LITERATURE[kind][index % len(_LITERATURE[kind])]
        for kind, same in sources.items()
        for index, source in enumerate(same)
    }
