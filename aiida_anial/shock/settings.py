"""Settings of shock waves, and their sizes."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from aiida_anial.common.settings import Positive, Settings

__all__ = ('SIZES', 'CutSettings', 'ParticleVelocities', 'ShockSettings', 'WaveSettings')

_FASTEST_KM_S: Final = 20.0

Count = Annotated[int, Field(ge=1, le=100_000)]
ParticleVelocities = Annotated[tuple[Annotated[Positive, Field(le=_FASTEST_KM_S)], ...], Field(min_length=1)]
"""Velocities of a crystal towards a piston, in km/s."""


class Orientation(NamedTuple):
    """An orthorhombic cell of FCC.

    :param axes: directions of x, y and z in the cubic cell.
    :param edges: edges of the cell in lattice constants.
    :param n_atoms: atoms of the cell.
    """

    axes: tuple[str, str, str]
    edges: tuple[float, float, float]
    n_atoms: int


_ORIENTATIONS: Final = {
    '100': Orientation(('0 1 0', '-1 0 0', '0 0 1'), (1.0, 1.0, 1.0), 4),
    '110': Orientation(('1 1 2', '-1 1 0', '-1 -1 1'), (math.sqrt(1.5), math.sqrt(0.5), math.sqrt(3.0)), 6),
}


class WaveSettings(Settings):
    """Settings of a wave in a crystal of FCC that hits a resting piston.

    The wave travels along y; the crystal is periodic along x and z.

    :param direction: direction of the wave in the crystal. ``110`` is that of Smith et al., Nat. Commun. 12, 1257
        (2021), III.J; a weak wave along it stays elastic for longer than one along ``100``.
    :param repeats: cells along x, y and z. With ``100`` a cell is a cube of four atoms; with ``110`` it has six atoms,
        and is 1.22, 0.71 and 1.73 lattice constants long.
    :param lattice_constant_angstrom: lattice constant before the equilibration, in which the crystal expands.
    :param temperature_k: temperature before the impact.
    :param equilibration_ps: dynamics before the impact: a thermostat, and no pressure along x and z.
    :param time_ps: dynamics after the impact, at constant energy.
    :param time_step_fs: time step.
    :param piston_angstrom: thickness of the piston, which is a slice of the crystal whose atoms stay where they are at
        the impact.
    :param bin_angstrom: width of the slices in profiles.
    :param profile_interval_steps: steps between profiles, each of which is the mean over ten moments.
    :param frame_interval_steps: steps between stored frames, a multiple of a tenth of ``profile_interval_steps``.
    """

    direction: Literal['100', '110'] = '110'
    repeats: tuple[Count, Count, Count]
    lattice_constant_angstrom: Annotated[Positive, Field(ge=3, le=5)] = 4.05
    temperature_k: Annotated[Positive, Field(le=5000)] = 300.0
    equilibration_ps: Positive
    time_ps: Positive
    time_step_fs: Annotated[Positive, Field(le=5)] = 1.0
    piston_angstrom: Annotated[Positive, Field(ge=7)] = 10.0
    bin_angstrom: Annotated[Positive, Field(ge=0.5)] = 4.0
    profile_interval_steps: Annotated[int, Field(ge=10)] = 100
    frame_interval_steps: Annotated[int, Field(ge=1)] = 500

    @model_validator(mode='after')
    def _check(self) -> Self:
        if self.profile_interval_steps % 10:
            raise ValueError('profile_interval_steps: it must be a multiple of ten, the moments in a profile')
        if self.frame_interval_steps % self.moment_steps:
            raise ValueError(f'frame_interval_steps: {self.frame_interval_steps} is no multiple of {self.moment_steps}')
        if self.n_steps < self.profile_interval_steps:
            raise ValueError(f'time_ps: {self.time_ps:g} ps end before the first profile')
        if self.edges_angstrom[1] < 4 * self.piston_angstrom:
            raise ValueError(f'repeats: a crystal of {self.edges_angstrom[1]:.0f} angstrom is too short for its piston')
        return self

    @property
    def edges_angstrom(self) -> tuple[float, float, float]:
        """Edges of the crystal along x, y and z before the equilibration."""
        x, y, z = (
            n * edge * self.lattice_constant_angstrom
            for n, edge in zip(self.repeats, self.orientation.edges, strict=True)
        )
        return x, y, z

    @property
    def orientation(self) -> Orientation:
        """The cell that is repeated."""
        return _ORIENTATIONS[self.direction]

    @property
    def n_atoms(self) -> int:
        """Number of atoms, piston included."""
        return self.orientation.n_atoms * math.prod(self.repeats)

    @property
    def moment_steps(self) -> int:
        """Steps between the moments that a profile is the mean of."""
        return self.profile_interval_steps // 10

    @property
    def n_equilibration_steps(self) -> int:
        """Steps before the impact."""
        return max(round(1000 * self.equilibration_ps / self.time_step_fs), 1)

    @property
    def n_steps(self) -> int:
        """Steps after the impact."""
        return max(round(1000 * self.time_ps / self.time_step_fs), 1)


class CutSettings(Settings):
    """Which surroundings of atoms in the wave are cut out for DFT, and how.

    :param atoms: atoms to follow, drawn at random.
    :param radii_angstrom: radii of the surroundings that are cut out around each of them, in each frame.
    :param vacuum_angstrom: least distance between an atom and the nearest image of the others.
    :param max_labels: calculations at most; those to leave out are drawn at random.
    """

    atoms: Annotated[int, Field(ge=1)] = 5
    radii_angstrom: Annotated[tuple[Annotated[float, Field(ge=3, le=20)], ...], Field(min_length=1)] = (7.0,)
    vacuum_angstrom: Annotated[float, Field(ge=4, le=50)] = 8.0
    max_labels: Annotated[int, Field(ge=1)] = 50


class ShockSettings(Settings):
    """Settings of shocks at several velocities.

    :param particle_velocities_km_s: velocities of the crystal towards the piston, one wave for each: u_p.
    :param wave: crystal and dynamics.
    :param cut: surroundings for DFT in the first wave.
    """

    particle_velocities_km_s: ParticleVelocities = (1.5,)
    wave: WaveSettings
    cut: CutSettings = CutSettings()


SIZES: Final = {
    'quick': ShockSettings(
        particle_velocities_km_s=(1.5, 1.0, 2.0),
        wave=WaveSettings(
            direction='100', repeats=(5, 40, 5), equilibration_ps=1.0, time_ps=1.6, profile_interval_steps=50
        ),
        cut=CutSettings(atoms=2, radii_angstrom=(5.0, 6.0), max_labels=8),
    ),
    'full': ShockSettings(
        wave=WaveSettings(repeats=(12, 155, 9), equilibration_ps=3.0, time_ps=5.0, frame_interval_steps=1000),
        cut=CutSettings(max_labels=25),
    ),
    'paper': ShockSettings(
        wave=WaveSettings(repeats=(20, 737, 14), equilibration_ps=15.0, time_ps=50.0, frame_interval_steps=1000),
        cut=CutSettings(radii_angstrom=(7.0, 8.0, 9.0, 10.0), max_labels=250),
    ),
}
"""Settings by size: thousands of atoms and minutes, a hundred thousand atoms and a night, and those of the paper."""
