"""Density, structure and self-diffusion of the melt."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Self

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import IsotropicMTKNPT, NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.crystals import cubic_fcc
from aiida_anial.properties.dynamic_property import DynamicProperty
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.liquids import (
    diffusion,
    finite_size_correction,
    mean_square_displacement,
    radial_distribution,
    velocity_spectrum,
)
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Requirements
from aiida_anial.properties.quantity import PropertyResult

__all__ = ('Melt', 'MeltSettings')

_G_PER_CM3: Final = units.kg / 1000 / units.m**3 * 1e6  # in atomic mass units per angstrom^3
_INITIAL_DENSITY: Final = 2.3  # g/cm3
_FRICTION_PER_FS: Final = 0.01
_DAMPING_FS: Final = 100.0
_PRESSURE_DAMPING_FS: Final = 1000.0
# Between observations: of the volume, of positions, and of velocities.
_VOLUME_FS: Final = 50.0
_POSITIONS_FS: Final = 100.0
_VELOCITIES_FS: Final = 10.0
_N_BLOCKS: Final = 5
_BALLISTIC_PS: Final = 0.5

Array = NDArray[np.float64]
Temperatures = Annotated[tuple[Annotated[Positive, Field(le=6000)], ...], Field(min_length=1)]


class MeltSettings(Settings):
    """Melts at several temperatures; the defaults are the paper's (Smith et al., Nat. Commun. 12, 1257 (2021), III.D).

    :param temperatures_k: temperatures of the melt; the hottest is made first, and cooled for the others.
    :param pressure_gpa: pressure at which the density is found.
    :param repeats: conventional cells along each edge of the crystal that is melted; n of them have 4 n^3 atoms.
    :param melting_temperature_k: temperature at which it melts, at the density of the melt.
    :param melting_ps: how long.
    :param settling_ps: dynamics before each of the two below, for another temperature or ensemble.
    :param density_ps: dynamics at constant pressure, of which the density is the mean.
    :param time_ps: dynamics at constant volume, for self-diffusion.
    :param structure_ps: last part of it, for the radial distribution and the spectrum of velocities.
    :param time_step_fs: time step.
    :param r_max_angstrom: largest distance in the radial distribution.
    :param bin_angstrom: width of its bins.
    :param viscosity_mpa_s: shear viscosity, by which self-diffusion is corrected for the size of the cell.
    :param seed: of the velocities.
    """

    temperatures_k: Temperatures = (1123.0, 1183.0, 1273.0)
    pressure_gpa: float = 1e-4
    repeats: Annotated[int, Field(ge=3)] = 8
    melting_temperature_k: Annotated[Positive, Field(le=10000)] = 2500.0
    melting_ps: Positive = 2.0
    settling_ps: Positive = 1.0
    density_ps: Positive = 10.0
    time_ps: Annotated[float, Field(ge=2)] = 50.0
    structure_ps: Positive = 10.0
    time_step_fs: Annotated[Positive, Field(le=5)] = 1.0
    r_max_angstrom: Positive = 10.0
    bin_angstrom: Positive = 0.05
    viscosity_mpa_s: Positive = 1.1
    seed: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode='after')
    def _check(self) -> Self:
        if len(set(self.temperatures_k)) < len(self.temperatures_k):
            raise ValueError('temperatures_k: one is there twice')
        if self.structure_ps > self.time_ps:
            raise ValueError('structure_ps: it is a part of time_ps, and larger')
        if _edge(self.repeats) < 2 * self.r_max_angstrom:
            raise ValueError(f'r_max_angstrom: {self.repeats} repeats are too small for distances up to it')
        return self

    @property
    def diffusion_ps(self) -> float:
        """Dynamics at constant volume before the part for the structure."""
        return self.time_ps - self.structure_ps


def _edge(repeats: int) -> float:
    """Return the edge of a melt before its density is known, in angstrom."""
    mass = 4 * repeats**3 * float(Atoms('Al').get_masses()[0])
    return float((mass / (_INITIAL_DENSITY * _G_PER_CM3)) ** (1 / 3))


class Melt(DynamicProperty[MeltSettings]):
    """Density, radial distribution and self-diffusion of the melt at several temperatures.

    See Smith et al., Nat. Commun. 12, 1257 (2021), section III.D.
    """

    name = 'melt'
    defaults = MeltSettings()
    quick = MeltSettings(
        temperatures_k=(1183.0,), repeats=5, density_ps=3.0, time_ps=5.0, structure_ps=3.0, r_max_angstrom=9.0
    )
    columns = (
        Column(quantity='density_T', unit='g/cm3', help='Density at T kelvin'),
        Column(quantity='peak_height_T', unit='1', help='Height of the first peak of the radial distribution'),
        Column(quantity='peak_distance_T', unit='angstrom', help='Its distance'),
        Column(quantity='coordination_T', unit='1', help='Neighbours up to the first minimum behind it'),
        Column(
            quantity='self_diffusion_T', unit='1e-9 m2/s', help='Self-diffusion, corrected for the size of the cell'
        ),
        Column(quantity='periodic_diffusion_T', unit='1e-9 m2/s', help='The same without the correction'),
    )
    curves = (
        ('distance_angstrom', 'distances of the radial distributions'),
        ('rdf_T', 'radial distribution at T kelvin'),
        ('lag_T_ps', 'lags of the mean square displacement'),
        ('msd_T_angstrom2', 'mean square displacement'),
        ('frequency_T_thz', 'frequencies of the spectrum'),
        ('spectrum_T_ps', 'spectrum of the velocity autocorrelation, of integral 1'),
    )
    panels = tuple(
        Curve(
            figure='melt',
            title=f'{temperature} K',
            x='distance_angstrom',
            y=f'rdf_{temperature}',
            x_label='distance (Å)',
            y_label='radial distribution',
        )
        for temperature in (1123, 1183, 1273)
    )

    def run(
        self,
        requirements: Requirements,  # noqa: ARG002
        calculator: Calculator,
        runner: DynamicsRunner,
    ) -> PropertyResult:
        """Melt a crystal, and cool it from one temperature to the next."""
        atoms = self._crystal()
        atoms.calc = calculator
        melting = self.settings.melting_temperature_k
        runner.stretch(
            f'{self.name}, melting',
            atoms,
            partial(self._langevin, melting),
            time_ps=self.settings.melting_ps,
            time_step_fs=self.settings.time_step_fs,
            interval_fs=_POSITIONS_FS,
        )
        quantities: dict[str, Quantity] = {}
        curves: dict[str, Array] = {}
        for temperature in sorted(self.settings.temperatures_k, reverse=True):
            name = f'_{temperature:g}'.replace('.', '_')
            for key, value in self._at(temperature, atoms, runner).items():
                (quantities if isinstance(value, Quantity) else curves)[key.replace('_T', name)] = value
        return PropertyResult(quantities, curves)

    def _crystal(self) -> Atoms:
        """Return a crystal of the density of the melt, with the velocities of twice the melting temperature."""
        settings = self.settings
        atoms = cubic_fcc(_edge(settings.repeats) / settings.repeats) * settings.repeats
        generator = np.random.default_rng(settings.seed)
        thermalize_momenta(atoms, temperature_K=2 * settings.melting_temperature_k, rng=generator)
        Stationary(atoms)
        return atoms

    def _at(self, temperature: float, atoms: Atoms, runner: DynamicsRunner) -> dict[str, Any]:
        """Return quantities and curves of the melt at a temperature, by the names that the class gives them."""
        nvt, npt = partial(self._nvt, temperature), partial(self._npt, temperature)

        def run(
            what: str, integrator: Any, time_ps: float, interval_fs: float, observe: Any = None
        ) -> dict[str, Array]:
            return runner.stretch(
                f'{self.name}, {temperature:g} K, {what}',
                atoms,
                integrator,
                time_ps=time_ps,
                time_step_fs=self.settings.time_step_fs,
                interval_fs=interval_fs,
                observe=observe or (lambda _: {}),
            )

        settings = self.settings
        run('cooling', nvt, settings.settling_ps, _POSITIONS_FS)
        run('expanding', npt, settings.settling_ps, _POSITIONS_FS)
        volume = run('density', npt, settings.density_ps, _VOLUME_FS, _volume)['volume']
        atoms.set_cell(atoms.cell * (volume.mean() / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
        run('settling', nvt, settings.settling_ps, _POSITIONS_FS)
        early = run('diffusion', nvt, settings.diffusion_ps, _POSITIONS_FS, _positions)
        late = run('structure', nvt, settings.structure_ps, _VELOCITIES_FS, _positions_and_velocities)
        every = round(_POSITIONS_FS / _VELOCITIES_FS)
        frames = late['positions'][every - 1 :: every]
        frequencies, spectrum = velocity_spectrum(late['velocities'].astype(np.float64), 1e-3 * _VELOCITIES_FS)
        densities = atoms.get_masses().sum() / volume / _G_PER_CM3
        return {
            'density_T': Quantity(float(densities.mean()), 'g/cm3', _standard_error(densities)),
            **self._structure(frames.astype(np.float64), atoms.cell.lengths()),
            **self._motion(np.concatenate([early['positions'], frames]), temperature, float(atoms.cell.lengths()[0])),
            'frequency_T_thz': frequencies,
            'spectrum_T_ps': spectrum,
        }

    def _structure(self, frames: Array, edges: Array) -> dict[str, Any]:
        """Return the radial distribution and its first peak."""
        settings = self.settings
        distances, found = radial_distribution(
            frames, edges, r_max=settings.r_max_angstrom, bin_angstrom=settings.bin_angstrom
        )
        peak = int(found.argmax())
        minimum = peak + int(found[peak : 2 * peak].argmin())
        density = frames.shape[1] / edges.prod()
        shells = 4 * np.pi * distances**2 * settings.bin_angstrom * density
        return {
            'peak_height_T': Quantity(float(found[peak]), '1'),
            'peak_distance_T': Quantity(float(distances[peak]), 'angstrom'),
            'coordination_T': Quantity(float((shells * found)[:minimum].sum()), '1'),
            'distance_angstrom': distances,
            'rdf_T': found,
        }

    def _motion(self, positions: Array, temperature: float, edge: float) -> dict[str, Any]:
        """Return mean square displacements and the self-diffusion that follows."""
        interval_ps = 1e-3 * _POSITIONS_FS
        displacements = mean_square_displacement(positions.astype(np.float64))
        found = diffusion(displacements, interval_ps, from_ps=_BALLISTIC_PS)
        correction = finite_size_correction(temperature, edge, self.settings.viscosity_mpa_s)
        return {
            'self_diffusion_T': Quantity(found.value + correction, '1e-9 m2/s', found.uncertainty),
            'periodic_diffusion_T': Quantity(found.value, '1e-9 m2/s', found.uncertainty),
            'lag_T_ps': np.arange(len(displacements)) * interval_ps,
            'msd_T_angstrom2': displacements.sum(axis=1),
        }

    def _langevin(self, temperature_k: float, atoms: Atoms) -> Langevin:
        """Return dynamics at constant volume that takes up the heat of melting."""
        return Langevin(
            atoms,
            self.settings.time_step_fs * units.fs,
            temperature_K=temperature_k,
            friction=_FRICTION_PER_FS / units.fs,
            fixcm=False,
            rng=np.random.default_rng(self.settings.seed),
        )

    def _nvt(self, temperature_k: float, atoms: Atoms) -> NoseHooverChainNVT:
        """Return dynamics at constant volume."""
        step, damping = self.settings.time_step_fs * units.fs, _DAMPING_FS * units.fs
        return NoseHooverChainNVT(atoms, step, temperature_K=temperature_k, tdamp=damping)

    def _npt(self, temperature_k: float, atoms: Atoms) -> IsotropicMTKNPT:
        """Return dynamics at constant pressure in a cube."""
        return IsotropicMTKNPT(
            atoms,
            self.settings.time_step_fs * units.fs,
            temperature_K=temperature_k,
            pressure_au=self.settings.pressure_gpa * units.GPa,
            tdamp=_DAMPING_FS * units.fs,
            pdamp=_PRESSURE_DAMPING_FS * units.fs,
        )


def _volume(atoms: Atoms) -> dict[str, float]:
    return {'volume': float(atoms.get_volume())}


def _positions(atoms: Atoms) -> dict[str, NDArray[np.float32]]:
    return {'positions': atoms.get_positions().astype(np.float32)}


def _positions_and_velocities(atoms: Atoms) -> dict[str, NDArray[np.float32]]:
    return {**_positions(atoms), 'velocities': atoms.get_velocities().astype(np.float32)}


def _standard_error(values: Array) -> float:
    """Return the standard error of a mean of correlated values, from the means of blocks."""
    means = np.array([block.mean() for block in np.array_split(values, _N_BLOCKS)])
    return float(means.std(ddof=1) / np.sqrt(_N_BLOCKS))
