"""Figures of waves: profiles along them, Hugoniot points, and forces by DFT in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.figures.style import LITERATURE_COLOUR, RC, save_figure
from aiida_anial.shock.dislocations import STRUCTURES, Dislocations
from aiida_anial.shock.hugoniot import measured_velocity
from aiida_anial.shock.wave_output import Profiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ('write_shock_figures',)

Point = Mapping[str, Quantity]

_CURVES: Final = 6


def write_shock_figures(
    waves: Mapping[str, tuple[Profiles, Point]],
    by_radius: Sequence[Mapping[str, Any]],
    folder: Path,
    defects: Mapping[str, Dislocations] | None = None,
) -> list[Path]:
    """Write the figures as PNG and SVG, and return the files.

    :param waves: profiles and Hugoniot point of each wave, by name.
    :param by_radius: errors of forces by radius; empty if nothing was labelled.
    :param defects: dislocations in the last frame of waves, by name.
    :param folder: folder of the files, created if it is missing.
    """
    import matplotlib.style

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.style.context(RC):
        return [
            path
            for name, figure in _figures(waves, by_radius, defects or {})
            for path in save_figure(figure, folder, name)
        ]


def _figures(
    waves: Mapping[str, tuple[Profiles, Point]],
    by_radius: Sequence[Mapping[str, Any]],
    defects: Mapping[str, Dislocations],
) -> Iterator[tuple[str, Figure]]:
    for name, (profiles, point) in waves.items():
        yield name, _profiles_figure(profiles, point)
    if waves:
        yield 'hugoniot', _hugoniot_figure([point for _, point in waves.values()])
    if by_radius:
        yield 'surroundings', _radius_figure(by_radius)
    for name, found in defects.items():
        yield f'{name}_dislocations', _dislocations_figure(found)


def _profiles_figure(profiles: Profiles, point: Point) -> Figure:
    """Draw profiles at some times; dashes are what momentum and mass conservation give behind the front."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout='constrained')
    panels = (
        ('density (g/cm³)', profiles.densities, 'density_by_mass_conservation'),
        ('velocity along\nthe wave (km/s)', profiles.velocities[..., 1], ''),
        ('stress along\nthe wave (GPa)', profiles.stresses[..., 1], 'stress_by_momentum_conservation'),
        ('stress across\nthe wave (GPa)', profiles.stresses[..., [0, 2]].mean(axis=-1), ''),
        ('temperature across\nthe wave (K)', profiles.temperatures[..., [0, 2]].mean(axis=-1), ''),
        ('disagreement of\nthe forces (eV/Å)', profiles.disagreements, ''),
    )
    # The outermost slices hold a layer or none.
    whole = profiles.counts > 0.5 * np.median(profiles.counts[profiles.counts > 0])
    rows = np.unique(np.linspace(0, len(profiles.times_ps) - 1, _CURVES).round().astype(int))
    for axes, (label, values, expected) in zip(figure.subplots(3, 2, sharex=True).flat, panels, strict=True):
        for number, row in enumerate(rows):
            colour = colormaps['viridis'](number / max(len(rows) - 1, 1))
            shown = np.where(whole[row], values[row], np.nan)
            axes.plot(profiles.positions, shown, color=colour, label=f'{profiles.times_ps[row]:.2f} ps')
        if expected in point:
            axes.axhline(point[expected].value, color='black', linestyle='--', linewidth=1)
        axes.set_ylabel(label)
    for axes in figure.axes[-2:]:
        axes.set_xlabel('position along the wave (Å)')
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=_CURVES)
    return figure


def _hugoniot_figure(points: Sequence[Point]) -> Figure:
    """Draw velocities and stresses against u_p, beside experiments."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout='constrained')
    velocity, stress = figure.subplots(1, 2)
    u = np.array([point['particle_velocity'].value for point in points])
    line = np.linspace(0, 1.2 * u.max(), 50)
    velocity.plot(
        line, measured_velocity(line), color=LITERATURE_COLOUR, label='experiments (Mitchell and Nellis 1981)'
    )
    density = np.mean([point['initial_density'].value for point in points])
    stress.plot(line, density * measured_velocity(line) * line, color=LITERATURE_COLOUR)
    us = [point['shock_velocity'] for point in points]
    velocity.errorbar(
        u, [one.value for one in us], [one.uncertainty or 0 for one in us], fmt='o', label='this potential'
    )
    along = [point['stress_along_wave'] for point in points]
    stress.errorbar(u, [one.value for one in along], [one.uncertainty or 0 for one in along], fmt='o')
    stress.plot(u, [point['stress_by_momentum_conservation'].value for point in points], 'x', color='black')
    velocity.set(xlabel='$u_p$ (km/s)', ylabel='$U_s$ (km/s)')
    stress.set(xlabel='$u_p$ (km/s)', ylabel='stress along the wave (GPa)')
    stress.set_title('crosses: by momentum conservation')
    velocity.legend()
    return figure


def _radius_figure(by_radius: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the error of forces against the radius of what was cut out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout='constrained')
    axes = figure.subplots()
    radii = [row['radius_angstrom'] for row in by_radius]
    for key, label in (('mae_ev_per_angstrom', 'mean absolute'), ('rmse_ev_per_angstrom', 'root mean square')):
        axes.plot(radii, [row[key] for row in by_radius], 'o-', label=label)
    axes.set(xlabel='radius of what was cut out (Å)', ylabel='error of a force component (eV/Å)')
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _dislocations_figure(found: Dislocations) -> Figure:
    """Draw the atoms that are not FCC, and the lines of dislocations, seen along x."""
    from matplotlib.figure import Figure

    height, width = np.ptp(found.positions[:, 2]), np.ptp(found.positions[:, 1])
    figure = Figure(figsize=(10, min(max(1.5 + 10 * height / width, 2.5), 10)), layout='constrained')
    axes = figure.subplots()
    for number, (name, colour) in enumerate(zip(STRUCTURES, ('0.8', '', '#d55e00', '#009e73'), strict=True)):
        some = found.positions[found.structures == number]
        if name != 'FCC' and len(some):
            axes.scatter(some[:, 1], some[:, 2], s=4, color=colour, linewidths=0, label=name, rasterized=True)
    for line in found.lines:
        axes.plot(line[:, 1], line[:, 2], color='black', linewidth=1)
    axes.set(xlabel='along the wave (Å)', ylabel='across (Å)', aspect='equal')
    axes.set_xlim(found.positions[:, 1].min(), found.positions[:, 1].max())
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, 1.3), ncols=3, markerscale=3)
    return figure
