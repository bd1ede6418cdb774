"""Cold curves, paths, and what else is a number against a coordinate: in the manner of figures 2 and 3 of the paper.

See Smith et al., Nat. Commun. 12, 1257 (2021), doi:10.1038/s41467-021-21376-0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.figures.style import Panel, SubjectStyle, add_legend, draw_literature, draw_panel, has_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ('CRYSTAL_LABELS', 'curve_figures')

CRYSTAL_LABELS = {
    'fcc': 'FCC',
    'hcp': 'HCP',
    'dhcp': 'DHCP',
    'nine_r': '9R',
    'bcc': 'BCC',
    'a15': 'A15',
    'sc': 'SC',
    'diamond': 'diamond',
    'beta_sn': 'β-Sn',
    'simple_hexagonal': 'simple hexagonal',
    'omega': 'ω',
}
"""What a crystal is called in figures."""

_ABOVE_FCC = 'energy above FCC (meV/atom)'

_LATTICE = Panel(
    'lattice',
    'lattice_constant_angstrom',
    'energy_ev_per_atom',
    'lattice constant of FCC (Å)',
    'energy above the lowest (meV/atom)',
    disagreement='disagreement_ev_per_atom',
    scale=1e3,
)
_PATHS = (
    Panel(
        'bain',
        'c_over_a',
        'energy_ev_per_atom',
        'c/a',
        _ABOVE_FCC,
        'Bain path',
        'disagreement_ev_per_atom',
        1e3,
        {1.0: 'BCC', sqrt(2): 'FCC'},
    ),
    Panel(
        'trigonal',
        'stretch_ratio',
        'energy_ev_per_atom',
        'stretch ratio along [111]',
        _ABOVE_FCC,
        'trigonal path',
        'disagreement_ev_per_atom',
        1e3,
        {0.25: 'BCC', 0.5: 'SC', 1.0: 'FCC'},
    ),
    *(
        Panel(
            name,
            'displacement',
            'energy_mj_per_m2',
            'displacement along ⟨112⟩ (a/√6)',
            'energy (mJ/m²)',
            f'{name} path',
            'disagreement_mj_per_m2',
        )
        for name in ('slip', 'twin')
    ),
)
_PRESSURE = Panel(
    'pressure',
    'relative_volume',
    'pressure_gpa',
    'volume over that at rest',
    'pressure (GPa)',
    disagreement='pressure_disagreement_gpa',
)
_STRESSES = tuple(
    Panel('elastic', strain, f'stress_{component}_gpa', label, f'stress {component} (GPa)')
    for strain, component, label in (
        ('strain', 'xx', 'strain xx'),
        ('strain', 'yy', 'strain xx'),
        ('shear_strain', 'yz', 'engineering strain yz'),
    )
)


def curve_figures(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Iterator[tuple[str, Figure]]:
    """Give name and figure of everything that any of the subjects has."""
    crystals = [_cold_panel(name) for name in CRYSTALS]
    for name, panels, columns in (
        ('lattice', (_LATTICE,), 1),
        ('cold_curves', crystals, 4),
        ('paths', _PATHS, 2),
        ('pressure', (_PRESSURE,), 1),
        ('stress', _STRESSES, 3),
    ):
        shown = [panel for panel in panels if any(has_panel(subject, panel) for subject in subjects)]
        if shown:
            yield name, _figure(shown, subjects, styles, min(columns, len(shown)))


def _cold_panel(crystal: str) -> Panel:
    return Panel(
        'cold_curves',
        f'{crystal}_volume_angstrom3_per_atom',
        f'{crystal}_energy_ev_per_atom',
        'volume (Å³/atom)',
        _ABOVE_FCC,
        CRYSTAL_LABELS[crystal],
        f'{crystal}_disagreement_ev_per_atom',
        1e3,
    )


def _figure(
    panels: Sequence[Panel], subjects: Sequence[Subject], styles: Sequence[SubjectStyle], columns: int
) -> Figure:
    """Return panels in rows; labels that are the same stand at the outer edges only."""
    from matplotlib.figure import Figure

    rows = ceil(len(panels) / columns)
    width = 5.0 if columns == 1 else min(3.6 * columns, 11.0)
    figure = Figure(figsize=(width, 0.5 + (3.0 if columns < 4 else 2.4) * rows), layout='constrained')
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for index, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
        draw_panel(axis, subjects, styles, panel)
        if panel.property_name == 'slip':
            draw_literature(axis, 1.0, references('slip', 'stable_fault'))
        if index % columns and panel.y_label == panels[index - 1].y_label:
            axis.set_ylabel('')
        below = index + columns
        if below < len(panels) and panel.x_label == panels[below].x_label:
            axis.set_xlabel('')
    for axis in axes[len(panels) :]:
        axis.remove()
    add_legend(figure, styles)
    return figure
