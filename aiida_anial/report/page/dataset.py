"""The section on the labels, and that on labels that were rejected."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from aiida_anial.queries.rejections import reason_counts, rejections
from aiida_anial.report.page.accuracy import by_origin
from aiida_anial.report.page.elements import Axis, Chart, Section, Series, Table, evenly
from aiida_anial.report.page.sources import PageSources
from aiida_anial.report.ranges import label_counts, label_ranges

__all__ = ('dataset_section', 'rejected_section')

_LABELS: Final = {
    'density_g_per_cm3': 'density (g/cm³)',
    'energy_per_atom_ev': 'energy (eV/atom)',
    'pressure_gpa': 'pressure (GPa)',
    'max_force_ev_per_angstrom': 'largest force on an atom (eV/Å)',
}
_PAIRS: Final = (
    ('Energy and density', 'density_g_per_cm3', 'energy_per_atom_ev'),
    ('Pressure and density', 'density_g_per_cm3', 'pressure_gpa'),
    ('Largest forces', 'energy_per_atom_ev', 'max_force_ev_per_angstrom'),
)
_BINS: Final = 24
# Rejected cells that are listed one by one.
_LISTED: Final = 50


def dataset_section(sources: PageSources) -> Section | None:
    """Return the section on the labels, or None if there is none yet."""
    labels = sources.labels
    if not labels:
        return None
    is_cut = len(labels) < sources.n_labels
    cut = f' The charts have {len(labels):,} of the {sources.n_labels:,} labels.' if is_cut else ''
    return Section(
        key='labels',
        title='The labels',
        paragraphs=(f'Choose a point to see its configuration, its numbers and where it is in the graph.{cut}',),
        charts=(
            *(_against(labels, title, x, y) for title, x, y in _PAIRS),
            _sizes(labels),
        ),
        tables=(_counts(labels), _ranges(labels)),
    )


def _against(labels: list[dict[str, Any]], title: str, x: str, y: str) -> Chart:
    x_axis, y_axis = (Axis(label=_LABELS[name]) for name in (x, y))
    series = by_origin(labels, range(len(labels)), [one[x] for one in labels], [one[y] for one in labels])
    return Chart(title=title, x=x_axis, y=y_axis, series=series)


def _sizes(labels: list[dict[str, Any]]) -> Chart:
    sizes = np.array([label['n_atoms'] for label in labels])
    width = max(1, -(-int(np.ptp(sizes) + 1) // _BINS))
    edges = np.arange(sizes.min(), sizes.max() + width + 1, width)
    counts, _ = np.histogram(sizes, edges)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    return Chart(
        title='Sizes of cells',
        x=Axis(label='atoms'),
        y=Axis(label='labels'),
        series=[Series(name='labels', x=middles.tolist(), y=counts.tolist(), draw='bars')],
    )


def _counts(labels: list[dict[str, Any]]) -> Table:
    rows = [
        (str(one['iteration']), one['origin'].replace('_', ' '), str(one['n_labels']), f'{one["n_atoms"]:,}')
        for one in label_counts(labels)
    ]
    headings = ('iteration', 'origin', 'labels', 'atoms')
    return Table(headings=headings, rows=rows, caption='Labels by iteration and origin', is_folded=True)


def _ranges(labels: list[dict[str, Any]]) -> Table:
    rows = [
        (one['name'], f'{one["low"]:.{one["digits"]}f}', f'{one["high"]:.{one["digits"]}f}', one['unit'])
        for one in label_ranges(labels)
    ]
    return Table(headings=('quantity', 'lowest', 'highest', 'unit'), rows=rows, caption='Ranges')


def rejected_section(sources: PageSources) -> Section:
    """Return the section on cells that have no label."""
    found = [(cell, why) for shard in rejections(sources.campaign) for cell, why in shard.items()]
    if not found:
        return Section(key='rejected', title='Rejected labels', paragraphs=('No label was rejected.',))
    counts = [(str(number), why) for why, number in reason_counts(why for _, why in found).items()]
    shown = evenly(len(found), _LISTED)
    cut = f' ({len(shown)} of {len(found)})' if len(shown) < len(found) else ''
    return Section(
        key='rejected',
        title='Rejected labels',
        paragraphs=(
            f'{len(found)} cells have no label, because their calculation failed or its result is unphysical.',
        ),
        tables=(
            Table(headings=('number', 'reason'), rows=counts, caption='Reasons'),
            Table(
                headings=('cell', 'reason'),
                rows=[found[index] for index in shown],
                caption=f'Each of them{cut}',
                is_folded=True,
            ),
        ),
    )
