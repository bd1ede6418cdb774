"""Elastic constants, crystals, surfaces and point defects: numbers side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiida_anial.comparison.figures.curves import CRYSTAL_LABELS
from aiida_anial.comparison.figures.lines import draw_literature
from aiida_anial.comparison.figures.style import SubjectStyle, add_legend
from aiida_anial.comparison.references import references
from aiida_anial.comparison.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('point_figures',)

# Of the distance between two categories, how much the markers of the subjects share.
_SPREAD = 0.5

_ELASTIC = {'c11': 'C₁₁', 'c12': 'C₁₂', 'c44': 'C₄₄', 'b': 'B'}
_SURFACES = {f'energy_{face}': f'({face})' for face in ('111', '100', '110')}
_RELAXATIONS = {f'{gap}_{face}': f'{gap}\n({face})' for face in ('111', '100', '110') for gap in ('d12', 'd23')}
_CRYSTALS = {f'{name}_minus_fcc': label for name, label in CRYSTAL_LABELS.items() if name != 'fcc'}
_DEFECTS = (('vacancy', 'meV'), ('dumbbell', 'eV'))


def point_figures(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Iterator[tuple[str, Figure]]:
    """Give name and figure of everything that any of the subjects has."""
    from matplotlib.figure import Figure

    if _has(subjects, 'elastic', _ELASTIC):
        figure = Figure(figsize=(5, 3.6), layout='constrained')
        axis = figure.subplots()
        _draw_points(axis, subjects, styles, 'elastic', _ELASTIC)
        axis.set(ylabel='elastic constant (GPa)', ylim=(0, None))
        add_legend(figure)
        yield 'elastic', figure
    if _has(subjects, 'cold_curves', _CRYSTALS):
        figure = Figure(figsize=(8, 3.8), layout='constrained')
        axis = figure.subplots()
        _draw_points(axis, subjects, styles, 'cold_curves', _CRYSTALS)
        # Close-packed crystals differ by tens of meV, diamond by nearly a thousand; and FCC may not be the lowest.
        axis.set_yscale('symlog', linthresh=20)
        axis.axhline(0.0, color='0.5', linewidth=0.8)
        axis.set_ylabel('energy above FCC,\neach at its minimum (meV/atom)')
        add_legend(figure)
        yield 'crystals', figure
    if _has(subjects, 'surfaces', _SURFACES):
        yield 'surfaces', _surfaces(subjects, styles)
    if any(subject.result(name).curves for subject in subjects for name, _ in _DEFECTS):
        yield 'defects', _defects(subjects, styles)


def _has(subjects: Sequence[Subject], property_name: str, quantities: dict[str, str]) -> bool:
    return any(key in subject.result(property_name).quantities for subject in subjects for key in quantities)


def _draw_points(
    axis: Axes,
    subjects: Sequence[Subject],
    styles: Sequence[SubjectStyle],
    property_name: str,
    quantities: dict[str, str],
) -> None:
    """Draw quantities of one unit as categories: the subjects next to each other, the literature behind them.

    :param quantities: labels by name; what no subject has is left out.
    """
    keys = [key for key in quantities if _has(subjects, property_name, {key: ''})]
    offsets = _SPREAD * (np.arange(len(subjects) + 1) / (len(subjects) or 1) - 0.5)
    for subject, style, offset in zip(subjects, styles, offsets[:-1], strict=True):
        found = subject.result(property_name).quantities
        values = [found[key].value if key in found else np.nan for key in keys]
        bars = [(found[key].uncertainty or 0.0) if key in found else 0.0 for key in keys]
        axis.errorbar(
            np.arange(len(keys)) + offset,
            values,
            bars if any(bars) else None,
            color=style.colour,
            marker=style.marker,
            markerfacecolor='none' if style.is_points else style.colour,
            linestyle='none',
            markersize=5,
            label=style.label,
        )
    for index, key in enumerate(keys):
        draw_literature(axis, index + float(offsets[-1]), references(property_name, key))
    axis.set_xticks(np.arange(len(keys)), [quantities[key] for key in keys])
    axis.set_xlim(-0.6, len(keys) - 0.4)
    axis.grid(visible=False, axis='x')


def _surfaces(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return energies and relaxations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout='constrained')
    energies, relaxations = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_points(energies, subjects, styles, 'surfaces', _SURFACES)
    for one in references('surfaces', 'energy_polycrystal'):
        energies.axhline(one.value.value, color='0.35', linestyle=(0, (1, 2)), label=f'{one.label}, polycrystal')
    energies.set_ylabel('surface energy (mJ/m²)')
    _draw_points(relaxations, subjects, styles, 'surfaces', _RELAXATIONS)
    relaxations.axhline(0.0, color='0.5', linewidth=0.8)
    relaxations.set_ylabel('change of the distance of layers (%)')
    add_legend(figure)
    return figure


def _defects(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return formation energies against the inverse of the size of the cell, and what they lead to."""
    from matplotlib.figure import Figure

    shown = [(name, unit) for name, unit in _DEFECTS if any(subject.result(name).curves for subject in subjects)]
    figure = Figure(figsize=(0.8 + 3.6 * len(shown), 3.6), layout='constrained')
    for axis, (name, unit) in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        for subject, style in zip(subjects, styles, strict=True):
            _draw_defect(axis, subject, style, name, unit)
        draw_literature(axis, 0.0, references(name, 'formation_energy'))
        axis.set(xlabel='1 / number of sites', ylabel=f'formation energy ({unit})')
        axis.set_title('⟨100⟩ dumbbell' if name == 'dumbbell' else name)
    add_legend(figure)
    return figure


def _draw_defect(axis: Axes, subject: Subject, style: SubjectStyle, name: str, unit: str) -> None:
    """Draw one subject, and the limit of an infinite cell as the end of its line."""
    result = subject.result(name)
    energy, spread = f'formation_energy_{unit.lower()}', f'disagreement_{unit.lower()}'
    if energy not in result.curves:
        return
    x, y = 1 / result.curves['n_sites'], result.curves[energy]
    bars = result.curves.get(spread, np.zeros(len(x)))
    infinite = result.quantities.get('formation_energy_infinite')
    if infinite is not None:
        x, y = np.append(x, 0.0), np.append(y, infinite.value)
        bars = np.append(bars, infinite.uncertainty or 0.0)
    axis.errorbar(
        x,
        y,
        bars if np.any(bars > 0) else None,
        color=style.colour,
        marker=style.marker,
        markerfacecolor='none' if style.is_points else style.colour,
        markersize=4,
        linestyle=style.line,
        label=style.label,
    )
