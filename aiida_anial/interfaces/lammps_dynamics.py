"""Molecular dynamics in LAMMPS: its settings, and the files that LAMMPS reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.settings import NonNegative, Positive, Settings

__all__ = (
    'ATOMS',
    'END',
    'FRAMES',
    'HALT',
    'INPUT',
    'LOG',
    'RESTART',
    'LammpsSettings',
    'continuing',
    'data_file',
    'input_file',
    'job_header',
    'lammps_seed',
    'saving',
    'triangular',
)

HALT: Final = 'disagreement'
"""Name of the fix that ends the dynamics where the members disagree; the log of LAMMPS tells it."""

INPUT: Final = 'in.dynamics'
LOG: Final = 'log.lammps'
RESTART: Final = 'dynamics.restart'
"""State of a dynamics that a time limit ended; an input that finds it goes on from there."""
ATOMS: Final = 'atoms.data'
FRAMES: Final = 'frames.dump'
END: Final = 'end.dump'
"""The frame at the end, which need not be at a multiple of ``frame_interval``."""

_BAR_PER_GPA: Final = 1e4
_COLUMNS: Final = (
    *('step', 'time', 'temp', 'pe', 'etotal', 'vol', 'pxx', 'pyy', 'pzz', 'pxy', 'pxz', 'pyz'),
    *('xlo', 'ylo', 'zlo', 'lx', 'ly', 'lz', 'xy', 'xz', 'yz', 'v_anial_disagreement'),
)
_FORCE_COLUMNS: Final = ('c_force_mean', 'c_force_max')
_DUMPED: Final = 'id xu yu zu vx vy vz'
_DIGITS: Final = '%.17g'
# Seeds of LAMMPS go up to here.
_MAX_SEED: Final = 900_000_000
# Before the scheduler kills the job, the last frame must have been written.
_SPARE_S: Final = 30


class LammpsSettings(Settings):
    """Settings of a dynamics.

    :param ensemble: what is constant: ``nve``, ``nvt``, ``nph`` or ``npt``; Nose-Hoover chains and MTK barostats.
    :param time_ps: length of the dynamics.
    :param time_step_fs: time step.
    :param temperatures_k: temperature at the start, also of the velocities, and at the end; linear between them.
    :param pressure_gpa: pressure of ``npt`` and ``nph``.
    :param pressure_mode: ``iso``: the shape of the cell is constant; ``aniso``: its edges change each by itself;
        ``tri``: all of it changes.
    :param temperature_damping_ps: time constant of the thermostat.
    :param pressure_damping_ps: time constant of the barostat.
    :param check_interval: steps between rows of the table.
    :param frame_interval: steps between stored frames, a multiple of ``check_interval``.
    :param max_energy_disagreement_ev: standard deviation of the energies of the members, divided by the square root of
        the number of atoms, above which a check ends the dynamics; None for no such end.
    :param force_disagreement: whether to compute the disagreement of forces at each check.
    """

    ensemble: Literal['nve', 'nvt', 'nph', 'npt'] = 'nvt'
    time_ps: Positive
    time_step_fs: Annotated[Positive, Field(le=10)] = 1.0
    temperatures_k: tuple[NonNegative, NonNegative] = (300.0, 300.0)
    pressure_gpa: float = 0.0
    pressure_mode: Literal['iso', 'aniso', 'tri'] = 'iso'
    temperature_damping_ps: Positive = 0.1
    pressure_damping_ps: Positive = 1.0
    check_interval: Annotated[int, Field(ge=1)] = 10
    frame_interval: Annotated[int, Field(ge=1)] = 100
    max_energy_disagreement_ev: Positive | None = None
    force_disagreement: bool = False

    @model_validator(mode='after')
    def _intervals_fit(self) -> Self:
        if self.frame_interval % self.check_interval:
            raise ValueError(f'frame_interval: {self.frame_interval} is no multiple of check_interval')
        return self

    @property
    def n_steps(self) -> int:
        """Number of time steps, at least one."""
        return max(round(1000 * self.time_ps / self.time_step_fs), 1)


def triangular(lattice: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower triangular lattice ``[3, 3]`` that LAMMPS needs, and the orthogonal matrix ``[3, 3]`` Q.

    Lattice vectors are rows. The triangular lattice times Q is the lattice, and so for positions and velocities.
    """
    q, r = np.linalg.qr(lattice.T)
    signs = np.sign(np.diag(r))
    return (signs[:, None] * r).T, (q * signs).T


def lammps_seed(seed: int) -> int:
    """Return a seed that LAMMPS takes: a positive number that is not too large."""
    return seed % _MAX_SEED + 1


def data_file(positions: NDArray[np.float64], lattice: NDArray[np.float64]) -> str:
    """Return a data file of atoms of one type.

    :param positions: ``[n, 3]`` angstrom.
    :param lattice: ``[3, 3]`` angstrom, one vector a row.
    """
    cell, rotation = triangular(lattice)
    edges = [f'0.0 {cell[i, i]:.17g} {axis}lo {axis}hi' for i, axis in enumerate('xyz')]
    tilts = f'{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz'
    atoms = [f'{number} 1 {x:.17g} {y:.17g} {z:.17g}' for number, (x, y, z) in enumerate(positions @ rotation.T, 1)]
    head = ['aiida-anial', '', f'{len(positions)} atoms', '1 atom types', *edges, tilts]
    return '\n'.join([*head, '', 'Atoms # atomic', '', *atoms, ''])


def job_header(max_wallclock_seconds: int | None) -> str:
    """Return the lines before the input of a job: its log is appended to, and it ends in time.

    :param max_wallclock_seconds: time after which the scheduler kills the job; None for no limit.
    """
    lines = [f'log {LOG} append']
    if max_wallclock_seconds is not None:
        seconds = max(max_wallclock_seconds - _SPARE_S, 1)
        lines.append(f'timer timeout {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} every 10')
    return '\n'.join([*lines, ''])


def continuing(*after: str, otherwise: Sequence[str] = ()) -> str:
    """Return the line that reads the state of a dynamics if there is one.

    The variable ``append`` becomes ``yes`` then, and ``no`` otherwise, for what the dynamics writes as it goes.

    :param after: commands to take after that.
    :param otherwise: commands to take if there is none.
    """
    branches = (
        (f'read_restart {RESTART}', *after, 'variable append string yes'),
        (*otherwise, 'variable append string no'),
    )
    then, other = (' '.join(f'"{command}"' for command in commands) for commands in branches)
    return f'if "$(is_file({RESTART}))" then {then} else {other}'


def saving(n_steps: int) -> str:
    """Return the line that saves the state of a dynamics that ended before its last step."""
    return f'if "$(step) < {n_steps}" then "write_restart {RESTART}" else "shell rm -f {RESTART}"'


def input_file(settings: LammpsSettings, *, seed: int) -> str:
    """Return the input of a dynamics of the atoms in ``ATOMS``, which goes on from ``RESTART`` if there is one.

    :param seed: of the velocities.
    """
    columns = [*_COLUMNS, *(_FORCE_COLUMNS if settings.force_disagreement else ())]
    start, number = settings.temperatures_k[0], lammps_seed(seed)
    velocities = f'velocity all create {start!r} {number} mom yes rot no dist gaussian'
    dumped = f'{_DUMPED} modify sort id format float {_DIGITS}'
    lines = [
        'units metal',
        'boundary p p p',
        continuing(otherwise=[f'read_data {ATOMS}']),
        'include potential.in',
        f'if "$(step) == 0" then "{velocities}"',
        f'timestep {settings.time_step_fs / 1000!r}',
        _motion(settings),
        *_disagreement_of_forces(settings),
        f'thermo_style custom {" ".join(columns)}',
        f'thermo_modify line yaml format float {_DIGITS}',
        f'thermo {settings.check_interval}',
        f'dump frames all custom {settings.frame_interval} {FRAMES} {_DUMPED}',
        f'dump_modify frames sort id append ${{append}} format float {_DIGITS}',
        # The frame of the step at which it goes on may be there.
        'if "$(step) > 0" then "dump_modify frames delay $(step+1)"',
        *_halt(settings),
        f'run {settings.n_steps} upto start 0 stop {settings.n_steps}',
        saving(settings.n_steps),
        f'write_dump all custom {END} {dumped}',
    ]
    return '\n'.join([*lines, ''])


def _disagreement_of_forces(settings: LammpsSettings) -> list[str]:
    """Return what computes the disagreement of forces at each check, and its mean and maximum over atoms."""
    if not settings.force_disagreement:
        return []
    return [
        f'fix force_disagreement all pair {settings.check_interval} anial force_disagreement 1',
        'compute force_mean all reduce ave f_force_disagreement',
        'compute force_max all reduce max f_force_disagreement',
    ]


def _halt(settings: LammpsSettings) -> list[str]:
    """Return what ends the dynamics where the members disagree."""
    if settings.max_energy_disagreement_ev is None:
        return []
    limit, interval = settings.max_energy_disagreement_ev, settings.check_interval
    return [f'fix {HALT} all halt {interval} v_anial_disagreement > {limit!r} error continue']


def _motion(settings: LammpsSettings) -> str:
    """Return the fix that integrates."""
    start, end = settings.temperatures_k
    words = [f'fix motion all {settings.ensemble}']
    if settings.ensemble in ('nvt', 'npt'):
        words.append(f'temp {start!r} {end!r} {settings.temperature_damping_ps!r}')
    if settings.ensemble in ('nph', 'npt'):
        pressure = settings.pressure_gpa * _BAR_PER_GPA
        words.append(f'{settings.pressure_mode} {pressure!r} {pressure!r} {settings.pressure_damping_ps!r}')
    return ' '.join(words)
