"""Elastic constants, crystals, surfaces and point defects: numbers side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiida_anial.properties.comparison.references import references
from aiida_anial.properties.comparison.subject import Subject
from aiida_anial.properties.figures.curves import CRYSTAL_LABELS
from aiida_anial.properties.figures.style import (
    LITERATURE,
    LITERATURE_COLOUR,
    SubjectStyle,
    add_legend,
    draw_literature,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ('point_figures',)

# Of the distance between two categories, how much the marks of one of them share.
_SPREAD = 0.6

_ELASTIC = {'c11': 'C₁₁', 'c12': 'C₁₂', 'c44': 'C₄₄', 'b': 'B'}
_FACES = ('111', '100', '110')
_SURFACES = {f'energy_{face}': f'({face})' for face in _FACES}
_RELAXATIONS = {f'{gap}_{face}': f'{gap}\n({face})' for face in _FACES for gap in ('d12', 'd23')}
_CRYSTALS = {f'{name}_minus_fcc': label.replace(' ', '\n') for name, label in CRYSTAL_LABELS.items() if name != 'fcc'}
_DEFECTS = {'vacancy': 'meV', 'dumbbell': 'eV'}

# Close-packed crystals are tens of meV above FCC, and diamond nearly a thousand.
_LINEAR_MEV = 10.0
_TICKS_MEV = (-500, -200, -100, -50, -20, -10, 0, 10, 20, 50, 100, 200, 500, 1000)


def point_figures(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Iterator[tuple[str, Figure]]:
    """Give name and figure of everything that any of the subjects has."""
    if _shown(subjects, 'elastic', _ELASTIC):
        yield 'elastic', _elastic(subjects, styles)
    if _shown(subjects, 'cold_curves', _CRYSTALS):
        yield 'crystals', _crystals(subjects, styles)
    if _shown(subjects, 'surfaces', _SURFACES):
        yield 'surfaces', _surfaces(subjects, styles)
    if any(subject.result(name).curves for subject in subjects for name in _DEFECTS):
        yield 'defects', _defects(subjects, styles)


def _elastic(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return a panel a constant: what differs between subjects is small beside what differs between constants."""
    from matplotlib.figure import Figure

    shown = _shown(subjects, 'elastic', _ELASTIC)
    figure = Figure(figsize=(1.0 + 1.8 * len(shown), 3.2), layout='constrained')
    for axis, (key, label) in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown.items(), strict=True):
        _draw_points(axis, subjects, styles, 'elastic', {key: label})
        axis.margins(y=0.2)
    figure.axes[0].set_ylabel('elastic constant (GPa)')
    add_legend(figure, styles)
    return figure


def _crystals(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return the energies of the crystals above FCC, on a scale that is logarithmic but near 0."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.8), layout='constrained')
    axis = figure.subplots()
    _draw_points(axis, subjects, styles, 'cold_curves', _CRYSTALS)
    values = [subject.result('cold_curves').quantities for subject in subjects]
    energies = [found[key].value for found in values for key in _CRYSTALS if key in found]
    axis.set_yscale('symlog', linthresh=_LINEAR_MEV)
    axis.set_yticks(_TICKS_MEV, [f'{tick}' for tick in _TICKS_MEV])
    axis.set_ylim(min(1.5 * min(energies), -_LINEAR_MEV / 2), max(1.5 * max(energies), _LINEAR_MEV))
    axis.axhline(0.0, color='0.5', linewidth=0.8)
    axis.set_ylabel('energy above FCC,\neach at its minimum (meV/atom)')
    add_legend(figure, styles)
    return figure


def _surfaces(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return energies and relaxations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout='constrained')
    energies, relaxations = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_points(energies, subjects, styles, 'surfaces', _SURFACES)
    for one in references('surfaces', 'energy_polycrystal'):
        label = f'{one.label}, polycrystal'
        energies.axhline(one.value.value, color=LITERATURE_COLOUR, linestyle=(0, (1, 2)), label=label)
    energies.set_ylabel('surface energy (mJ/m²)')
    _draw_points(relaxations, subjects, styles, 'surfaces', _RELAXATIONS)
    relaxations.axhline(0.0, color='0.5', linewidth=0.8)
    relaxations.set_ylabel('change of the distance of layers (%)')
    add_legend(figure, styles)
    return figure


def _defects(subjects: Sequence[Subject], styles: Sequence[SubjectStyle]) -> Figure:
    """Return formation energies against the inverse of the size of the cell, and what they lead to."""
    from matplotlib.figure import Figure

    shown = [name for name in _DEFECTS if any(subject.result(name).curves for subject in subjects)]
    figure = Figure(figsize=(0.8 + 3.6 * len(shown), 3.6), layout='constrained')
    for axis, name in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        for subject, style in zip(subjects, styles, strict=True):
            _draw_defect(axis, subject, style, name)
        # Beside the limits of the subjects, not on them.
        draw_literature(axis, -0.04 * axis.get_xlim()[1], references(name, 'formation_energy'))
        axis.set(xlabel='1 / number of sites', ylabel=f'formation energy ({_DEFECTS[name]})')
        axis.set_title('⟨100⟩ dumbbell' if name == 'dumbbell' else name)
    add_legend(figure, styles)
    return figure


def _shown(subjects: Sequence[Subject], property_name: str, quantities: Mapping[str, str]) -> dict[str, str]:
    """Return those of the quantities that any of the subjects has."""
    found = {key for subject in subjects for key in subject.result(property_name).quantities}
    return {key: label for key, label in quantities.items() if key in found}


def _draw_points(
    axis: Axes,
    subjects: Sequence[Subject],
    styles: Sequence[SubjectStyle],
    property_name: str,
    quantities: Mapping[str, str],
) -> None:
    """Draw quantities of one unit as categories: the subjects next to each other, and the literature after them.

    :param quantities: labels by name.
    """
    shown = _shown(subjects, property_name, quantities)
    literature = [references(property_name, key) for key in shown]
    sources = list(dict.fromkeys(one.source for found in literature for one in found if one.kind in LITERATURE))
    n_marks = len(subjects) + len(sources)
    offsets = [_SPREAD * ((index + 0.5) / n_marks - 0.5) for index in range(n_marks)]
    for subject, style, offset in zip(subjects, styles, offsets, strict=False):
        found = subject.result(property_name).quantities
        if not shown.keys() & found.keys():
            continue
        bars = [(found[key].uncertainty or 0.0) if key in found else 0.0 for key in shown]
        axis.errorbar(
            np.arange(len(shown)) + offset,
            [found[key].value if key in found else np.nan for key in shown],
            bars if any(bars) else None,
            color=style.colour,
            marker=style.marker,
            markerfacecolor='none' if style.is_points else style.colour,
            linestyle='none',
            markersize=5,
            label=style.label,
        )
    for index, found_there in enumerate(literature):
        for one in found_there:
            if one.source in sources:
                draw_literature(axis, index + offsets[len(subjects) + sources.index(one.source)], [one])
    axis.set_xticks(np.arange(len(shown)), list(shown.values()))
    axis.set_xlim(-0.6, len(shown) - 0.4)
    axis.grid(visible=False, axis='x')


def _draw_defect(axis: Axes, subject: Subject, style: SubjectStyle, name: str) -> None:
    """Draw one subject, and the limit of an infinite cell as the end of its line."""
    result = subject.result(name)
    unit = _DEFECTS[name].lower()
    if f'formation_energy_{unit}' not in result.curves:
        return
    x, y = 1 / result.curves['n_sites'], result.curves[f'formation_energy_{unit}']
    bars = result.curves.get(f'disagreement_{unit}', np.zeros(len(x)))
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
        markersize=4.5,
        linestyle=style.line,
        label=style.label,
    )
