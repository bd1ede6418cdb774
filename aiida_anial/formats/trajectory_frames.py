"""A trajectory on its way into a file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.header import header_text
from aiida_anial.sampling.frames import SCALARS

__all__ = ('TrajectoryFrames',)

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
    """S frames of n atoms in periodic cells, with what was measured in each: the arrays of a stored trajectory.

    :param symbols: ``[n]`` chemical symbols.
    :param positions: ``[S, n, 3]`` in angstrom, not wrapped into the cell.
    :param lattices: ``[S, 3, 3]`` in angstrom, one vector a row.
    :param steps: ``[S]`` time steps since the start.
    :param times_ps: ``[S]``.
    :param scalars: ``[S]`` by name, such as those of ``sampling.frames.SCALARS``; NaN where nothing was measured.
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
            raise AnialError(f'header: {", ".join(taken)} is what the format itself says.')
        header_text(self.header)

    def __len__(self) -> int:
        return len(self.steps)

    def measured(self, index: int) -> dict[str, int | float]:
        """Return what was measured in one frame, without what was not, by names in the singular."""
        values = {SCALARS.get(name, name): float(array[index]) for name, array in self.scalars.items()}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        return finite | {'step': int(self.steps[index]), 'time_ps': float(self.times_ps[index])}

    @property
    def file_header(self) -> dict[str, Any]:
        """What a file says about the whole trajectory."""
        return {
            **self.header,
            'format': _FORMAT,
            'format_version': _FORMAT_VERSION,
            'n_atoms': len(self.symbols),
            'n_frames': len(self),
            'stop_reason': self.stop_reason,
            'units': _UNITS,
        }
