"""A wave by ASE, with any calculator; for larger ones there is LAMMPS."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.constraints import FixAtoms
from ase.lattice.cubic import FaceCenteredCubic
from ase.md.langevin import Langevin
from ase.md.nptberendsen import Inhomogeneous_NPTBerendsen
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from aiida_anial.shock.settings import WaveSettings
from aiida_anial.shock.wave_input import COLUMNS
from aiida_anial.shock.wave_output import Profiles, profiles_of

__all__ = ('Wave', 'equilibrated', 'run_wave')

Array = NDArray[np.float64]

_KM_S: Final = 1000 * units.m / units.second
_ANGSTROM_PER_PS: Final = 1 / (1000 * units.fs)
# Farther than any potential reaches, with the swing of the slab.
_VACUUM_ANGSTROM: Final = 25.0
_FRICTION_PER_FS: Final = 0.01
_BAROSTAT_FS: Final = 200.0
_BAROSTAT_INTERVAL: Final = 10
_COMPRESSIBILITY_PER_GPA: Final = 1 / 77


class Wave(NamedTuple):
    """What is left of a wave.

    :param profiles: profiles along it, without energies, stresses and disagreements.
    :param stresses_on_piston: ``[T]`` stress on the piston along the wave at the times of the profiles, in GPa.
    """

    profiles: Profiles
    stresses_on_piston: Array


def equilibrated(calculator: BaseCalculator, settings: WaveSettings, *, seed: int) -> Atoms:
    """Return a crystal with free surfaces along y, at the temperature, and without stress along x and z.

    :param seed: of velocities and thermostat.
    """
    axes = [[int(part) for part in axis.split()] for axis in settings.orientation.axes]
    atoms = FaceCenteredCubic(
        'Al', directions=axes, size=settings.repeats, latticeconstant=settings.lattice_constant_angstrom, pbc=True
    )
    atoms = Atoms(atoms)  # without the memory of its directions, which scaling would keep
    atoms.cell[1, 1] += _VACUUM_ANGSTROM
    atoms.calc = calculator
    generator = np.random.default_rng(seed)
    # Half of this becomes potential energy.
    thermalize_momenta(atoms, temperature_K=2 * settings.temperature_k, rng=generator)
    step = settings.time_step_fs * units.fs
    thermostat = Langevin(
        atoms,
        step,
        temperature_K=settings.temperature_k,
        friction=_FRICTION_PER_FS / units.fs,
        fixcm=False,
        rng=generator,
    )
    barostat = Inhomogeneous_NPTBerendsen(
        atoms,
        _BAROSTAT_INTERVAL * step,
        temperature_K=settings.temperature_k,
        pressure_au=0.0,
        taup=_BAROSTAT_FS * units.fs,
        compressibility_au=_COMPRESSIBILITY_PER_GPA / units.GPa,
        mask=(1, 0, 1),
    )
    thermostat.attach(barostat.scale_positions_and_cell, interval=_BAROSTAT_INTERVAL)
    thermostat.run(settings.n_equilibration_steps)
    return atoms


def run_wave(crystal: Atoms, settings: WaveSettings, particle_velocity_km_s: float) -> Wave:
    """Let a crystal run into a resting piston, as ``wave_input`` describes it.

    :param crystal: what ``equilibrated`` returned; it stays as it is.
    :param particle_velocity_km_s: u_p.
    """
    atoms = crystal.copy()
    atoms.calc = crystal.calc
    heights = atoms.positions[:, 1]
    foot = float(heights.min())
    piston = heights < foot + settings.piston_angstrom
    velocities = atoms.get_velocities()
    velocities -= velocities[~piston].mean(axis=0)
    velocities[:, 1] -= particle_velocity_km_s * _KM_S
    velocities[piston] = 0
    atoms.set_velocities(velocities)
    atoms.set_constraint(FixAtoms(mask=piston))
    observer = _Observer(atoms, settings, piston, foot)
    dynamics = VelocityVerlet(atoms, settings.time_step_fs * units.fs)
    dynamics.attach(observer, interval=settings.moment_steps)
    dynamics.run(settings.n_steps)
    return observer.wave()


class _Observer:
    """Collects what profiles are the means of."""

    def __init__(self, atoms: Atoms, settings: WaveSettings, piston: NDArray[np.bool_], foot: float) -> None:
        self._atoms, self._settings, self._piston, self._foot = atoms, settings, piston, foot
        self._n_slices = int((np.ptp(atoms.positions[:, 1]) + _VACUUM_ANGSTROM) / settings.bin_angstrom)
        self._sums: list[Array] = []
        self._forces: list[float] = []

    def __call__(self) -> None:
        """Add a moment: in each slice the number of atoms, and the sums of their velocities and of the squares."""
        slices = ((self._atoms.positions[:, 1] - self._foot) // self._settings.bin_angstrom).astype(int)
        slices = slices.clip(0, self._n_slices - 1)
        velocities = self._atoms.get_velocities() / _ANGSTROM_PER_PS
        values = np.column_stack([np.ones(len(slices)), velocities, velocities**2])
        sums = np.zeros((self._n_slices, values.shape[1]))
        np.add.at(sums, slices, values)
        self._sums.append(sums)
        self._forces.append(-float(self._atoms.get_forces(apply_constraint=False)[self._piston, 1].sum()))

    def wave(self) -> Wave:
        """Return means over ten moments each; that of the impact is none of them."""
        settings = self._settings
        n_profiles = (len(self._sums) - 1) // 10
        sums = np.array(self._sums[1 : 1 + 10 * n_profiles]).reshape(n_profiles, 10, *self._sums[0].shape).mean(axis=1)
        forces = np.array(self._forces[1 : 1 + 10 * n_profiles]).reshape(n_profiles, 10).mean(axis=1)
        area = float(self._atoms.cell[0, 0] * self._atoms.cell[2, 2])
        counts = sums[..., 0]
        columns = np.full((*counts.shape, len(COLUMNS)), np.nan)
        columns[..., 0] = counts / (area * settings.bin_angstrom)
        with np.errstate(invalid='ignore'):
            columns[..., 1:7] = sums[..., 1:] / counts[..., None]
        steps = (np.arange(n_profiles, dtype=np.float64) * 10 + 5.5) * settings.moment_steps
        positions = (np.arange(self._n_slices, dtype=np.float64) + 0.5) * settings.bin_angstrom
        times = steps * settings.time_step_fs / 1000
        return Wave(profiles_of(times, positions, counts, columns), forces / area / units.GPa)
