"""Trajectories in the formats of other programs: extended XYZ, ASE trajectory, LAMMPS dump."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers
from ase.io.trajectory import TrajectoryWriter
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.exported import header_text
from aiida_anial.formats.extxyz import numbers, quoted_json, text
from aiida_anial.formats.files import replaced
from aiida_anial.sampling.trajectory import SCALARS

__all__ = ('TRAJECTORY_FORMATS', 'TrajectoryFormat', 'TrajectoryFrames', 'write_trajectory')

_FORMAT = 'aiida-anial trajectory'
_FORMAT_VERSION = 1
_UNITS = {
    'energy': 'eV',
    'energy_disagreement': 'eV/sqrt(atom)',
    'force_disagreement_max': 'eV/angstrom',
    'force_disagreement_mean': 'eV/angstrom',
    'length': 'angstrom',
    'step': 'time steps since the start',
    'target_temperature_k': 'K',
    'temperature_k': 'K',
    'time_ps': 'ps',
}
_OWN_KEYS = ('format', 'format_version', 'n_atoms', 'n_frames', 'stop_reason', 'units')


@dataclass(frozen=True, eq=False)
class TrajectoryFrames:
    """S frames of n atoms in periodic cells, with measurements: the arrays of a stored trajectory.

    :param symbols: ``[n]`` chemical symbols.
    :param positions: ``[S, n, 3]`` in angstrom, not wrapped into the cell.
    :param lattices: ``[S, 3, 3]`` in angstrom, one vector a row.
    :param steps: ``[S]`` number of time steps since the start.
    :param times_ps: ``[S]`` time since the start.
    :param scalars: measurements ``[S]`` by name, such as ``sampling.trajectory.SCALARS``; NaN if not measured.
    :param stop_reason: why the trajectory ended.
    :param header: JSON values of the caller, such as the UUID of the node.
    :raises AnialError: if the shapes do not fit, a position is not finite, or something cannot be written.
    """

    symbols: Sequence[str]
    positions: NDArray[np.float64]
    lattices: NDArray[np.float64]
    steps: NDArray[np.int64]
    times_ps: NDArray[np.float64]
    scalars: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    stop_reason: str | None = None
    header: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_frames, n_atoms = len(self.steps), len(self.symbols)
        shapes = {'positions': (n_frames, n_atoms, 3), 'lattices': (n_frames, 3, 3), 'times_ps': (n_frames,)}
        arrays = {name: getattr(self, name) for name in shapes} | dict(self.scalars)
        for name, array in arrays.items():
            if array.shape != (expected := shapes.get(name, (n_frames,))):
                raise AnialError(f'trajectory: {name} has shape {array.shape} where {expected} is needed.')
            if not re.fullmatch(r'[a-z][a-z0-9_]*', name) or name in _OWN_KEYS:
                raise AnialError(f'trajectory: {name!r} is not a name for a scalar.')
            if name in shapes and not np.isfinite(array).all():
                raise AnialError(f'trajectory: a value of {name} is not finite.')
        if not n_frames or not n_atoms:
            raise AnialError('trajectory: there is no frame with an atom in it.')
        if unknown := sorted(set(self.symbols) - set(atomic_numbers)):
            raise AnialError(f'trajectory: {unknown[0]!r} is not a chemical symbol.')
        if taken := sorted(set(self.header) & set(_OWN_KEYS)):
            raise AnialError(f'header: {", ".join(taken)} is written by the format itself.')
        header_text(self.header)

    def __len__(self) -> int:
        return len(self.steps)

    def measured(self, index: int) -> dict[str, int | float]:
        """Return the measurements in one frame that are finite, by name in the singular."""
        values = {SCALARS.get(name, name): float(array[index]) for name, array in self.scalars.items()}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        return finite | {'step': int(self.steps[index]), 'time_ps': float(self.times_ps[index])}

    @property
    def file_header(self) -> dict[str, Any]:
        """The header of the file, about the whole trajectory."""
        return {
            **self.header,
            'format': _FORMAT,
            'format_version': _FORMAT_VERSION,
            'n_atoms': len(self.symbols),
            'n_frames': len(self),
            'stop_reason': self.stop_reason,
            'units': _UNITS,
        }


Write = Callable[[Path, TrajectoryFrames], None]


@dataclass(frozen=True)
class TrajectoryFormat:
    """A file format of trajectories.

    :param suffix: usual suffix of file names.
    :param write: writes a trajectory to a path.
    :param write_companion: writes data that the format cannot hold to a second file, with the suffix ``.json``.
    """

    suffix: str
    write: Write
    write_companion: Write | None = None


def write_trajectory(path: Path, frames: TrajectoryFrames, *, file_format: str) -> tuple[Path, ...]:
    """Write ``frames`` to ``path``, positions not wrapped; the same frames give the same bytes.

    :param file_format: one of ``TRAJECTORY_FORMATS``.
    :return: the written files.
    :raises AnialError: if the format is unknown, it cannot represent a cell, or the file cannot be written.
    """
    if file_format not in TRAJECTORY_FORMATS:
        raise AnialError(f'format: {file_format!r} is not one of {", ".join(TRAJECTORY_FORMATS)}.')
    chosen = TRAJECTORY_FORMATS[file_format]
    writers = {path: chosen.write}
    if chosen.write_companion is not None:
        writers[path.with_name(path.name + '.json')] = chosen.write_companion
    for target, write in writers.items():
        with replaced(target) as temporary:
            write(temporary, frames)
    return tuple(writers)


def _write_extxyz(path: Path, frames: TrajectoryFrames) -> None:
    """Write the file with all digits of every number."""
    template = ''.join(f'{symbol} %r %r %r\n' for symbol in frames.symbols)
    with path.open('w', encoding='ascii', newline='\n') as file:
        for index, positions in enumerate(frames.positions):
            file.write(f'{len(positions)}\n{_comment(frames, index)}\n')
            file.write(template % tuple(positions.ravel().tolist()))


def _comment(frames: TrajectoryFrames, index: int) -> str:
    """Return the comment line of one frame; that of the first one holds the header."""
    entries = {
        'Lattice': numbers(frames.lattices[index]),
        'Properties': 'species:S:1:pos:R:3',
        'pbc': '"T T T"',
        **{name: repr(value) for name, value in frames.measured(index).items()},
    }
    if frames.stop_reason is not None:
        entries['stop_reason'] = text(frames.stop_reason)
    if index == 0:
        entries['header'] = quoted_json(frames.file_header)
    return ' '.join(f'{name}={value}' for name, value in entries.items())


def _write_traj(path: Path, frames: TrajectoryFrames) -> None:
    """Write an ASE trajectory: its description is the header, and ``atoms.info`` holds the measurements."""
    with TrajectoryWriter(path, 'w') as writer:
        writer.set_description(json.loads(header_text(frames.file_header)))
        for index, positions in enumerate(frames.positions):
            atoms = Atoms(list(frames.symbols), positions=positions, cell=frames.lattices[index], pbc=True)
            atoms.info = frames.measured(index) | {'stop_reason': frames.stop_reason}
            if 'energy' in atoms.info:
                atoms.calc = SinglePointCalculator(atoms, energy=atoms.info.pop('energy'))
            writer.write(atoms)


def _write_lammps(path: Path, frames: TrajectoryFrames) -> None:
    """Write the format of the LAMMPS command ``dump custom id type element xu yu zu``, in metal units."""
    types = {symbol: number for number, symbol in enumerate(sorted(set(frames.symbols)), start=1)}
    rows = [f'{number} {types[symbol]} {symbol}' for number, symbol in enumerate(frames.symbols, start=1)]
    template = ''.join(f'{row} %r %r %r\n' for row in rows)
    with path.open('w', encoding='ascii', newline='\n') as file:
        for index, positions in enumerate(frames.positions):
            lattice, rotated = _in_lammps(frames.lattices[index], positions)
            file.write(f'ITEM: TIMESTEP\n{frames.steps[index]}\nITEM: NUMBER OF ATOMS\n{len(positions)}\n')
            file.write(_bounds(lattice))
            file.write('ITEM: ATOMS id type element xu yu zu\n')
            file.write(template % tuple(rotated.ravel().tolist()))


def _in_lammps(
    lattice: NDArray[np.float64], positions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lattice and positions, rotated so that the lattice is lower triangular, as LAMMPS requires.

    :raises AnialError: if the cell is left-handed.
    """
    if np.linalg.det(lattice) <= 0:
        raise AnialError('lattices: LAMMPS has no left-handed cells.')
    if not np.triu(lattice, 1).any() and (np.diag(lattice) > 0).all():
        return lattice, positions
    prism = Prism(lattice)
    return np.asarray(prism.cell), np.asarray(prism.vector_to_lammps(positions))


def _bounds(lattice: NDArray[np.float64]) -> str:
    """Return the box of a lower triangular lattice; the bounds of a tilted box are those of its bounding box."""
    (xx, _, _), (xy, yy, _), (xz, yz, zz) = lattice.tolist()
    if not (xy or xz or yz):
        return 'ITEM: BOX BOUNDS pp pp pp\n' + ''.join(f'0.0 {edge!r}\n' for edge in (xx, yy, zz))
    along_x, along_y = (0.0, xy, xz, xy + xz), (0.0, yz)
    return (
        'ITEM: BOX BOUNDS xy xz yz pp pp pp\n'
        f'{min(along_x)!r} {xx + max(along_x)!r} {xy!r}\n'
        f'{min(along_y)!r} {yy + max(along_y)!r} {xz!r}\n'
        f'0.0 {zz!r} {yz!r}\n'
    )


def _write_table(path: Path, frames: TrajectoryFrames) -> None:
    """Write header and measurements as JSON, for a format that cannot hold them."""
    measured = [frames.measured(index) for index in range(len(frames))]
    names = sorted({name for frame in measured for name in frame})
    columns = {name: [frame.get(name) for frame in measured] for name in names}
    path.write_text(header_text({'header': frames.file_header, 'frames': columns}) + '\n', encoding='ascii')


TRAJECTORY_FORMATS = {
    'extxyz': TrajectoryFormat('.extxyz', _write_extxyz),
    'traj': TrajectoryFormat('.traj', _write_traj),
    'lammps': TrajectoryFormat('.lammpstrj', _write_lammps, _write_table),
}
