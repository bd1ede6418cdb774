"""Hugoniot points of small shock waves."""

from __future__ import annotations

from functools import cache, partial
from typing import Annotated

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray
from pydantic import Field

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Settings
from aiida_anial.properties.dynamic_property import DynamicProperty
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Requirements
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.shock.hugoniot import hugoniot_point, steady_profiles
from aiida_anial.shock.settings import SIZES, ParticleVelocities, WaveSettings
from aiida_anial.shock.wave_dynamics import Wave, equilibrated, run_wave
from aiida_anial.shock.wave_output import Profiles

__all__ = ('ShockWaves', 'WavesSettings')

_QUICK = SIZES['quick']
# Names of the quantities of a wave, and of the numbers in its Hugoniot point.
_FROM_POINT = {
    'shock_velocity': 'shock_velocity',
    'density': 'density',
    'temperature': 'temperature',
    'density_by_mass': 'density_by_mass_conservation',
}


class WavesSettings(Settings):
    """Waves in one crystal.

    :param particle_velocities_km_s: velocities of the crystal towards the piston, one wave for each: u_p.
    :param wave: crystal and dynamics.
    :param seed: of the velocities before the impact.
    """

    particle_velocities_km_s: ParticleVelocities = tuple(sorted(_QUICK.particle_velocities_km_s))
    wave: WaveSettings = _QUICK.wave
    seed: Annotated[int, Field(ge=0)] = 1


class ShockWaves(DynamicProperty[WavesSettings]):
    """States behind shock waves of several velocities, in a crystal of thousands of atoms that runs into a piston.

    `aiida-anial shock` runs such waves in LAMMPS, also those of millions of atoms, and compares forces with DFT.
    """

    name = 'shock'
    defaults = WavesSettings()
    columns = (
        Column(quantity='shock_velocity_U', unit='km/s', help='Velocity of the shock at u_p = U m/s'),
        Column(quantity='stress_U', unit='GPa', help='Stress along the wave, from the force on the piston'),
        Column(quantity='stress_by_momentum_U', unit='GPa', help='The same by conservation of momentum'),
        Column(quantity='density_U', unit='g/cm3', help='Density behind the shock'),
        Column(quantity='density_by_mass_U', unit='g/cm3', help='The same by conservation of mass'),
        Column(quantity='temperature_U', unit='K', help='Temperature behind the shock'),
    )
    curves = (
        ('particle_velocity_km_s', 'u_p'),
        ('shock_velocity_km_s', 'velocity of the shock'),
        ('shock_velocity_error_km_s', 'standard error of the velocity of the shock'),
    )
    panels = (
        Curve(
            figure='shock',
            x='particle_velocity_km_s',
            y='shock_velocity_km_s',
            x_label='particle velocity (km/s)',
            y_label='shock velocity (km/s)',
            disagreement='shock_velocity_error_km_s',
            literature={1.0: 'shock_velocity_1000', 1.5: 'shock_velocity_1500', 2.0: 'shock_velocity_2000'},
        ),
    )

    def run(
        self,
        requirements: Requirements,  # noqa: ARG002
        calculator: Calculator,
        runner: DynamicsRunner,
    ) -> PropertyResult:
        """Run all waves, and return the states behind them.

        :raises AnialError: if a wave was too short.
        """
        settings = self.settings

        @cache
        def crystal() -> Atoms:
            runner.report(f'{self.name}: bringing {settings.wave.n_atoms} atoms to {settings.wave.temperature_k:g} K')
            return equilibrated(calculator, settings.wave, seed=settings.seed)

        def arrays(velocity: float) -> dict[str, NDArray[np.float64]]:
            atoms = crystal()
            runner.report(f'{self.name}: wave of {velocity:g} km/s')
            wave = run_wave(atoms, settings.wave, velocity)
            return {**wave.profiles.arrays(), 'stresses_on_piston_gpa': wave.stresses_on_piston}

        quantities: dict[str, Quantity] = {}
        notes: list[str] = []
        for velocity in settings.particle_velocities_km_s:
            found = runner.once(f'wave of {velocity} km/s', partial(arrays, velocity))
            wave = Wave(Profiles.from_arrays(found), found['stresses_on_piston_gpa'])
            state = _state(wave, velocity, settings.wave.piston_angstrom)
            known = {name: value for name, value in state.items() if np.isfinite(value.value)}
            quantities |= {f'{name}_{round(1000 * velocity)}': value for name, value in known.items()}
            if missing := sorted(state.keys() - known.keys()):
                notes.append(f'The wave of {velocity:g} km/s was too short for {", ".join(missing)}.')
        speeds = [quantities[f'shock_velocity_{round(1000 * one)}'] for one in settings.particle_velocities_km_s]
        curves = {
            'particle_velocity_km_s': np.array(settings.particle_velocities_km_s),
            'shock_velocity_km_s': np.array([speed.value for speed in speeds]),
            'shock_velocity_error_km_s': np.array([speed.uncertainty or 0.0 for speed in speeds]),
        }
        return PropertyResult(quantities, curves, tuple(notes))


def _state(wave: Wave, velocity: float, piston_angstrom: float) -> dict[str, Quantity]:
    """Return the state behind a wave; ahead of it there is no stress."""
    point = hugoniot_point(wave.profiles, velocity, piston_angstrom)
    rows = steady_profiles(wave.profiles, velocity)
    stresses = wave.stresses_on_piston[rows]
    momentum = point['initial_density'].value * point['shock_velocity'].value * velocity
    return {
        **{name: point[key] for name, key in _FROM_POINT.items()},
        'stress': Quantity(float(stresses.mean()), 'GPa', float(stresses.std(ddof=1) / np.sqrt(len(rows)))),
        'stress_by_momentum': Quantity(momentum, 'GPa'),
    }
