"""The plots of a release as PNG and SVG files, whose bytes follow from the data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_anial.report.figures import energy_density_figure, iterations_figure, learning_figure, parity_figure
from aiida_anial.report.parity import Parity

__all__ = ('write_plots',)

# Whatever the user's own style is; without the salt, names inside an SVG would be random.
_STYLE: list[Any] = [
    'default',
    {
        'axes.grid': True,
        'axes.prop_cycle': "cycler('color', ['0072b2', 'd55e00', '009e73', 'cc79a7', 'e69f00', '56b4e9'])",
        'font.size': 9,
        'grid.alpha': 0.3,
        'legend.fontsize': 8,
        'savefig.dpi': 150,
        'svg.hashsalt': 'aiida-anial',
    },
]

# Neither a date nor a version of matplotlib stands in a file.
_METADATA: dict[str, dict[str, Any]] = {
    'png': {'Software': None},
    'svg': {'Date': None, 'Creator': None},
}


def write_plots(
    folder: Path,
    *,
    iterations: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    curves: Mapping[str, NDArray[Any]],
    parity: Parity | None,
) -> dict[str, str]:
    """Write the plots into ``folder``, and return the caption of each by its name.

    :param iterations: as ``campaign_status`` gives them.
    :param labels: records of the kind ``labels``.
    :param curves: ``step`` and learning curves of the last training.
    :param parity: on the test blocks; without it there is no such plot.
    """
    captions: dict[str, str] = {}
    with matplotlib.style.context(_STYLE):
        for name, caption, figure in _figures(iterations, labels, curves, parity):
            captions[name] = caption
            for suffix, metadata in _METADATA.items():
                figure.savefig(folder / f'{name}.{suffix}', metadata=metadata)
    return captions


def _figures(
    iterations: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    curves: Mapping[str, NDArray[Any]],
    parity: Parity | None,
) -> Iterator[tuple[str, str, Figure]]:
    """Give name, caption and figure of each plot."""
    yield 'iterations', 'The campaign by iteration.', iterations_figure(iterations)
    yield 'energy_density', 'Energy and density of every label, by origin.', energy_density_figure(labels)
    yield 'learning_curves', 'Learning curves of the last training, a line a member.', learning_figure(curves)
    if parity is not None:
        yield 'parity', 'Each member on its own test block, against the labels.', parity_figure(parity)
