"""What LAMMPS leaves of a wave: profiles along it, energies, and frames."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, Self

import numpy as np
from ase import units
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.interfaces.lammps_output import dumped_frames, lammps_table
from aiida_anial.shock.settings import WaveSettings
from aiida_anial.shock.wave_input import COLUMNS

__all__ = ('Frame', 'Profiles', 'energy_drift', 'profiles_of', 'read_frames', 'read_profiles')

Array = NDArray[np.float64]

_MASS: Final = float(atomic_masses[atomic_numbers['Al']])
_G_PER_CM3: Final = _MASS * 1.66053906660  # of one atom in 1 angstrom^3
_KM_S: Final = 0.1  # 1 angstrom/ps
# Mass times the square of 1 angstrom/ps, in eV.
_EV: Final = _MASS * 1.03642696e-4
_GPA_PER_BAR: Final = 1e-4
_GPA_PER_EV_ANGSTROM3: Final = 1 / units.GPa


@dataclass(frozen=True, eq=False)
class Profiles:
    """Means over the atoms of B slices of the crystal, along the wave, at T times; NaN where a slice has no atom.

    :param times_ps: ``[T]``, ps after the impact: the middle of the time over which each profile is the mean.
    :param positions: ``[B]`` middle of the slices above the foot of the piston, angstrom.
    :param counts: ``[T, B]`` atoms.
    :param densities: ``[T, B]`` g/cm3.
    :param velocities: ``[T, B, 3]`` km/s.
    :param temperatures: ``[T, B, 3]`` K, from the spread of the velocities along each axis.
    :param stresses: ``[T, B, 3]`` GPa, the diagonal; positive under compression.
    :param energies: ``[T, B]`` potential energies, eV/atom.
    :param disagreements: ``[T, B]`` disagreement of the forces, eV/angstrom.
    """

    times_ps: Array
    positions: Array
    counts: Array
    densities: Array
    velocities: Array
    temperatures: Array
    stresses: Array
    energies: Array
    disagreements: Array

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by names that end in the unit."""
        return {name: getattr(self, field) for field, name in _NAMES.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the profiles of which ``arrays`` gave these."""
        return cls(**{field: arrays[name] for field, name in _NAMES.items()})


_NAMES: Final = {
    'times_ps': 'times_ps',
    'positions': 'positions_angstrom',
    'counts': 'atoms',
    'densities': 'densities_g_per_cm3',
    'velocities': 'velocities_km_s',
    'temperatures': 'temperatures_k',
    'stresses': 'stresses_gpa',
    'energies': 'energies_ev_per_atom',
    'disagreements': 'force_disagreements_ev_per_angstrom',
}


class Frame(NamedTuple):
    """A frame of a wave of n atoms, in the order of their numbers.

    :param step: time step after the impact.
    :param box: ``[3, 2]`` lower and upper faces of the box, angstrom; it is periodic along x and z.
    :param moving: ``[n]`` whether an atom is not of the piston.
    :param positions: ``[n, 3]`` angstrom.
    :param velocities: ``[n, 3]`` angstrom/ps.
    :param forces: ``[n, 3]`` eV/angstrom.
    :param energies: ``[n]`` eV.
    :param disagreements: ``[n]`` disagreement of the forces, eV/angstrom.
    """

    step: int
    box: Array
    moving: NDArray[np.bool_]
    positions: Array
    velocities: Array
    forces: Array
    energies: Array
    disagreements: Array


def read_profiles(text: str, settings: WaveSettings) -> Profiles:
    """Return the profiles in the file of ``fix ave/chunk``.

    :raises FileFormatError: if it has none, or is of another shape.
    """
    lines = [line.split() for line in text.splitlines() if line and not line.startswith('#')]
    steps, blocks = [], []
    at = 0
    while at < len(lines) and len(lines[at]) == 3:
        n_slices = int(lines[at][1])
        block = lines[at + 1 : at + 1 + n_slices]
        # LAMMPS writes at the end of each profile; one that it was killed in is incomplete.
        if len(block) == n_slices and all(len(row) == len(COLUMNS) + 3 for row in block):
            steps.append(int(lines[at][0]))
            blocks.append(block)
        at += 1 + n_slices
    if not blocks or len({len(block) for block in blocks}) > 1:
        raise FileFormatError('the profiles of the wave are missing or incomplete.')
    values = np.array(blocks, dtype=np.float64)
    times = (np.array(steps) - (settings.profile_interval_steps - settings.moment_steps) / 2) * settings.time_step_fs
    edge = values[0, 0, 1] - settings.bin_angstrom / 2
    return profiles_of(times / 1000, values[0, :, 1] - edge, values[..., 2], values[..., 3:])


def profiles_of(times: Array, positions: Array, counts: Array, columns: Array) -> Profiles:
    """Return profiles in our units from means over slices in the units ``metal`` of LAMMPS.

    :param times: ``[T]`` ps.
    :param positions: ``[B]`` angstrom.
    :param counts: ``[T, B]`` atoms.
    :param columns: ``[T, B, 12]`` what ``COLUMNS`` names; NaN where it is unknown.
    """
    columns = np.where(counts[..., None] > 0, columns, np.nan)
    density, velocity, squares = columns[..., 0], columns[..., 1:4], columns[..., 4:7]
    # eV, twice the kinetic energy along each axis in the frame of the slice; one atom too few has a spread.
    thermal = _EV * np.maximum(squares - velocity**2, 0)
    kinetic = density[..., None] * thermal * _GPA_PER_EV_ANGSTROM3
    virial = -columns[..., 8:11] * density[..., None] * _GPA_PER_BAR
    return Profiles(
        times_ps=times,
        positions=positions,
        counts=counts,
        densities=density * _G_PER_CM3,
        velocities=velocity * _KM_S,
        temperatures=thermal / units.kB,
        stresses=virial + kinetic,
        energies=columns[..., 7],
        disagreements=columns[..., 11],
    )


def energy_drift(log: str, n_atoms: int) -> float:
    """Return the drift of the total energy after the impact in microeV/atom/ps, from a linear fit."""
    table = lammps_table(log)
    if len(table['Step']) < 3:
        return float('nan')
    return float(1e6 * np.polyfit(table['Time'], table['TotEng'] / n_atoms, 1)[0])


def read_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Yield the frames of a compressed dump, one at a time; one at the end that is incomplete is left out.

    :raises FileFormatError: if it is not a dump, or the stream ends early.
    """
    try:
        with gzip.open(stream, 'rt') as lines:
            for step, box, rows in dumped_frames(lines, source='the frames of the wave'):
                yield Frame(
                    step=step,
                    box=box,
                    moving=rows[:, 1] == 1,
                    positions=rows[:, 2:5],
                    velocities=rows[:, 5:8],
                    forces=rows[:, 8:11],
                    energies=rows[:, 11],
                    disagreements=rows[:, 12],
                )
    except (EOFError, OSError, ValueError) as exception:
        raise FileFormatError(f'the frames of the wave cannot be read ({exception}).') from exception
