"""What LAMMPS leaves of a dynamics, as a trajectory and a table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.interfaces.lammps_dynamics import END, FRAMES, HALT, LammpsSettings, triangular
from aiida_anial.sampling.trajectory import StopReason, Trajectory

__all__ = (
    'DumpedFrame',
    'LammpsDynamics',
    'can_continue',
    'dumped_frames',
    'error_of',
    'lammps_table',
    'ran_out_of_time',
    'read_dynamics',
)

_TABLE: Final = re.compile(r'^keywords: \[(?P<names>.*)\]\ndata:\n(?P<rows>(?:  - \[.*\]\n)+)', re.MULTILINE)
_HEAD: Final = 9
_PS_PER_FS: Final = 1e-3
_GPA_PER_BAR: Final = 1e-4
_PRESSURES: Final = ('Pxx', 'Pyy', 'Pzz', 'Pxy', 'Pxz', 'Pyz')
# Names of the columns in the table, with their units.
_COLUMNS: Final = {
    'Step': 'steps',
    'Time': 'times_ps',
    'Temp': 'temperatures_k',
    'PotEng': 'energies_ev',
    'TotEng': 'total_energies_ev',
    'Volume': 'volumes_angstrom3',
    'v_anial_disagreement': 'energy_disagreement_ev',
    'c_force_mean': 'force_disagreement_mean_ev_per_angstrom',
    'c_force_max': 'force_disagreement_max_ev_per_angstrom',
}


class LammpsDynamics(NamedTuple):
    """A dynamics.

    :param trajectory: the frames, and why it ended.
    :param table: columns ``[checks]`` by name, with their units; ``pressures_gpa`` is ``[checks, 6]`` in the order xx,
        yy, zz, xy, xz, yz, in the axes of LAMMPS.
    """

    trajectory: Trajectory
    table: Mapping[str, NDArray[np.float64]]


class _Frames(NamedTuple):
    """Frames as LAMMPS writes them: steps ``[S]``, positions and velocities ``[S, n, 3]``, angstrom and angstrom/ps."""

    steps: NDArray[np.int64]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]


def error_of(log: str) -> str | None:
    """Return the error that LAMMPS reports in its log, or None."""
    found = re.search(r'^ERROR.*', log, re.MULTILINE)
    return None if found is None else found[0].removeprefix('ERROR: ').removeprefix('ERROR ').strip()


def read_dynamics(
    folder: Path, log: str, settings: LammpsSettings, *, species: NDArray[np.int16], lattice: NDArray[np.float64]
) -> LammpsDynamics:
    """Read the files of a dynamics that LAMMPS ended by itself.

    :param folder: folder with ``FRAMES`` and ``END``.
    :param log: log of LAMMPS.
    :param settings: those of the dynamics.
    :param species: ``[n]`` atomic numbers.
    :param lattice: ``[3, 3]`` lattice at the start, angstrom.
    :raises FileFormatError: if a file is missing or incomplete.
    """
    table = lammps_table(log)
    frames, end = (_read_dump(folder / name, len(species)) for name in (FRAMES, END))
    if not np.isin(frames.steps, table['Step']).all():
        raise FileFormatError('the log of LAMMPS lacks a frame.')
    # After a time limit, the table ends before the dynamics does.
    if end.steps[0] > frames.steps[-1] and end.steps[0] == table['Step'][-1]:
        frames = _Frames(*(np.concatenate(parts) for parts in zip(frames, end, strict=True)))
    # A job that goes on with a dynamics begins with a row, whatever its step.
    regular = (table['Step'] % settings.check_interval == 0) | np.isin(table['Step'], frames.steps)
    table = {name: column[regular] for name, column in table.items()}
    rows = np.searchsorted(table['Step'], frames.steps)
    columns = {name: table[key][rows] for key, name in _COLUMNS.items() if key in table}
    halted, last = f'fix-id {HALT}' in log, int(frames.steps[-1])
    _, rotation = triangular(lattice)
    origins = np.stack([table[name][rows] for name in ('Xlo', 'Ylo', 'Zlo')], axis=-1)
    nothing = np.full(len(rows), np.nan)
    trajectory = Trajectory(
        index=0,
        species=species,
        lattices=_lattices(table)[rows] @ rotation,
        positions=(frames.positions - origins[:, None]) @ rotation,
        velocities=(frames.velocities @ rotation * _PS_PER_FS).astype(np.float32),
        steps=frames.steps,
        times_ps=columns['times_ps'],
        energies=columns['energies_ev'],
        energy_disagreement=columns['energy_disagreement_ev'],
        force_disagreement_mean=columns.get('force_disagreement_mean_ev_per_angstrom', nothing),
        force_disagreement_max=columns.get('force_disagreement_max_ev_per_angstrom', nothing),
        target_temperatures_k=_targets(settings, frames.steps),
        temperatures_k=columns['temperatures_k'],
        stop_reason=StopReason.ENERGY_DISAGREEMENT if halted else StopReason.COMPLETED,
        stop_step=last,
        stop_time_ps=float(columns['times_ps'][-1]),
        candidate_frame=len(rows) - 1,
        max_temperature_k=float(table['Temp'].max()),
        closest_contact_angstrom=None,
    )
    named = {name: table[key] for key, name in _COLUMNS.items() if key in table}
    named['pressures_gpa'] = _GPA_PER_BAR * np.stack([table[name] for name in _PRESSURES], axis=-1)
    return LammpsDynamics(trajectory, named)


def lammps_table(log: str) -> dict[str, NDArray[np.float64]]:
    """Return the columns of the last table in a log, with the rows of the jobs that it goes on from."""
    found = list(_TABLE.finditer(log))
    if not found:
        raise FileFormatError('the log of LAMMPS has no table.')
    names = yaml.safe_load(f'[{found[-1]["names"]}]')
    tables = [table['rows'].splitlines() for table in found if table['names'] == found[-1]['names']]
    rows = [line[line.index('[') + 1 : line.rindex(']')] for lines in tables for line in lines]
    values = np.array([row.replace(',', ' ').split() for row in rows], dtype=np.float64)
    # A job begins with the row that the one before ended with.
    _, first = np.unique(values[:, names.index('Step')], return_index=True)
    return dict(zip(names, values[first].T, strict=True))


def ran_out_of_time(log: str) -> bool:
    """Return whether the time limit ended the last job of a log."""
    return 'Wall time limit reached' in _last_job(log)


def can_continue(log: str) -> bool:
    """Return whether the last job of a log saved its state."""
    return 'System init for write_restart' in _last_job(log)


def _last_job(log: str) -> str:
    """Return what the last job has added to a log; LAMMPS answers each ``timer`` by this line."""
    return log.rpartition('New timer settings')[2]


def _lattices(table: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the lattices ``[checks, 3, 3]`` in the axes of LAMMPS."""
    lattices = np.zeros((len(table['Step']), 3, 3))
    for name, row, column in (('Lx', 0, 0), ('Ly', 1, 1), ('Lz', 2, 2), ('Xy', 1, 0), ('Xz', 2, 0), ('Yz', 2, 1)):
        lattices[:, row, column] = table[name]
    return lattices


class DumpedFrame(NamedTuple):
    """A frame of a dump as LAMMPS writes it.

    :param step: time step.
    :param box: ``[3, k]`` lower and upper faces of the box, and its tilts if it has any.
    :param rows: ``[n, columns]`` what was dumped of each atom.
    """

    step: int
    box: NDArray[np.float64]
    rows: NDArray[np.float64]


def dumped_frames(lines: Iterable[str], *, source: str) -> Iterator[DumpedFrame]:
    """Yield the frames of a dump, one at a time, for all may be larger than the memory.

    One that is incomplete, at the end, is left out.

    :param source: name of the file for messages.
    :raises FileFormatError: if it is not a dump.
    """
    stream = iter(lines)
    while head := list(itertools.islice(stream, _HEAD)):
        if not head[0].startswith('ITEM: TIMESTEP'):
            raise FileFormatError(f'{source}: not a dump of LAMMPS.')
        if len(head) < _HEAD:
            return
        n_atoms = int(head[3])
        # The last line may be cut off in the middle of a number.
        rows = [line for line in itertools.islice(stream, n_atoms) if line.endswith('\n')]
        if len(rows) < n_atoms:
            return
        yield DumpedFrame(int(head[1]), np.loadtxt(head[5:8], ndmin=2), np.loadtxt(rows, ndmin=2))


def _read_dump(path: Path, n_atoms: int) -> _Frames:
    """Return the frames of a dump; an incomplete one at the end of the file is left out."""
    if not path.exists():
        raise FileFormatError(f'{path.name} is missing.')
    with path.open() as lines:
        found = list(dumped_frames(lines, source=path.name))
    if not found or any(len(one.rows) != n_atoms for one in found):
        raise FileFormatError(f'{path.name}: not a dump of {n_atoms} atoms.')
    rows = np.stack([one.rows for one in found])
    return _Frames(np.array([one.step for one in found]), rows[..., 1:4], rows[..., 4:7])


def _targets(settings: LammpsSettings, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the temperatures of the thermostat; NaN where there is none."""
    if settings.ensemble in ('nve', 'nph'):
        return np.full(len(steps), np.nan)
    start, end = settings.temperatures_k
    targets: NDArray[np.float64] = start + (end - start) * steps / settings.n_steps
    return targets
