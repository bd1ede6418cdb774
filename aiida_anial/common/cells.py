"""A batch of independent periodic cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors

__all__ = ('ALUMINIUM', 'Cells', 'stored_species')

ALUMINIUM = 13
"""Atomic number of aluminium, the only element in files of the first version, which store no species."""

_KIND = 'cells'
_SCHEMA_VERSION = 2
# The largest atomic number of an element with a symbol.
_MAX_NUMBER = 118


def stored_species(content: TensorFile) -> NDArray[np.int16]:
    """Return the atomic numbers ``[N]`` in a file that holds ``positions``.

    Files of the first version store none: all their atoms are aluminium.

    :raises KeyError: if a file of a later version has no ``species``.
    """
    if content.schema_version == 1:
        return np.full(content.arrays['positions'].shape[-2], ALUMINIUM, dtype=np.int16)
    return content.arrays['species']


@dataclass(frozen=True, eq=False)
class Cells:
    """C periodic cells with N atoms in all, the atoms of each cell one after another.

    :param positions: ``[N, 3]`` Cartesian positions in angstrom, float64.
    :param lattices: ``[C, 3, 3]`` lattice vectors in angstrom, one a row, float64.
    :param offsets: ``[C + 1]`` cell ``c`` owns the atoms ``offsets[c]`` to ``offsets[c + 1] - 1``, int64.
    :param species: ``[N]`` atomic numbers, int16: compact in files, and wide enough for the product of two of them,
        which int8 is not.
    :raises AnialError: if the shapes do not fit, a value is not finite, a cell is empty or has no volume, or a species
        is not an element.
    """

    positions: NDArray[np.float64]
    lattices: NDArray[np.float64]
    offsets: NDArray[np.int64]
    species: NDArray[np.int16]

    def __post_init__(self) -> None:
        dtypes = {'positions': np.float64, 'lattices': np.float64, 'offsets': np.int64, 'species': np.int16}
        for name, dtype in dtypes.items():
            if getattr(self, name).dtype != dtype:
                raise AnialError(f'cells: {name} are {getattr(self, name).dtype} where {np.dtype(dtype)} is needed.')
        n_cells = len(self.lattices)
        if self.lattices.shape != (n_cells, 3, 3) or self.offsets.shape != (n_cells + 1,):
            raise AnialError(f'cells: lattices {self.lattices.shape} and offsets {self.offsets.shape} do not fit.')
        if self.positions.shape != (int(self.offsets[-1]), 3) or self.offsets[0] != 0:
            raise AnialError(f'cells: positions {self.positions.shape} do not fit offsets up to {self.offsets[-1]}.')
        if self.species.shape != self.positions.shape[:1]:
            raise AnialError(f'cells: species {self.species.shape} do not fit positions {self.positions.shape}.')
        if len(self.species) and not 1 <= self.species.min() <= self.species.max() <= _MAX_NUMBER:
            raise AnialError(f'cells: species from {self.species.min()} to {self.species.max()} are not all elements.')
        if not (np.isfinite(self.positions).all() and np.isfinite(self.lattices).all()):
            raise AnialError('cells: a position or lattice vector is not finite.')
        if n_cells and (np.diff(self.offsets).min() < 1 or self.volumes.min() < 1e-3):
            raise AnialError('cells: a cell has no atoms or no volume.')

    @classmethod
    def from_lists(
        cls, positions: Sequence[ArrayLike], lattices: Sequence[ArrayLike], *, species: int | Sequence[ArrayLike]
    ) -> Self:
        """Return the batch of the given cells.

        :param positions: for each cell ``[n, 3]`` in angstrom.
        :param lattices: for each cell ``[3, 3]`` in angstrom.
        :param species: for each cell ``[n]`` atomic numbers, or the one atomic number of all atoms.
        """
        parts = [np.asarray(part, dtype=np.float64).reshape(-1, 3) for part in positions]
        offsets = np.cumsum([0] + [len(part) for part in parts], dtype=np.int64)
        stacked = np.concatenate(parts) if parts else np.zeros((0, 3))
        if isinstance(species, int):
            species = [np.full(len(part), species) for part in parts]
        if [len(part) for part in parts] != [np.size(part) for part in species]:
            raise AnialError('cells: there must be one species for each position.')
        numbers = np.concatenate([np.zeros(0, dtype=np.int64), *(np.ravel(part) for part in species)])
        # A number too large for int16 would wrap around to a valid one, so it is clipped to one that is refused.
        numbers = numbers.clip(0, _MAX_NUMBER + 1).astype(np.int16)
        return cls(stacked, np.asarray(lattices, dtype=np.float64).reshape(-1, 3, 3), offsets, numbers)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the batch that ``write`` put into ``path``.

        :raises FileFormatError: if the file is not a batch of cells.
        """
        content = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION)
        try:
            arrays = content.arrays
            return cls(arrays['positions'], arrays['lattices'], arrays['offsets'], stored_species(content))
        except KeyError as exception:
            raise FileFormatError(f'{path}: the batch has no {exception}.') from exception
        except (AnialError, LookupError, TypeError, ValueError) as exception:
            raise FileFormatError(one_line(f'{path}: {exception}')) from exception

    def write(self, path: Path) -> None:
        """Write the batch to a safetensors file."""
        write_tensors(path, self.content())

    def content(self) -> TensorFile:
        """Return the content of the file that ``write`` writes."""
        names = ('positions', 'lattices', 'offsets', 'species')
        arrays: dict[str, np.ndarray] = {name: getattr(self, name) for name in names}
        return TensorFile(_KIND, _SCHEMA_VERSION, {'units': {'length': 'angstrom'}}, arrays)

    def __len__(self) -> int:
        return len(self.lattices)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return (self.one(index) for index in range(len(self)))

    def one(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions ``[n, 3]`` and lattice ``[3, 3]`` of one cell, in angstrom."""
        return self.positions[self.offsets[index] : self.offsets[index + 1]], self.lattices[index]

    def species_of(self, index: int) -> NDArray[np.int16]:
        """Return the atomic numbers ``[n]`` of one cell."""
        return self.species[self.offsets[index] : self.offsets[index + 1]]

    def configurations(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int16]]]:
        """Yield positions ``[n, 3]`` and lattice ``[3, 3]`` in angstrom and atomic numbers ``[n]`` of each cell."""
        return ((*self.one(index), self.species_of(index)) for index in range(len(self)))

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Cells:
        """Return the batch of the cells ``indices``, in that order."""
        chosen = [self.one(int(index)) for index in indices]
        return Cells.from_lists(
            [positions for positions, _ in chosen],
            [lattice for _, lattice in chosen],
            species=[self.species_of(int(index)) for index in indices],
        )

    def moved(self, positions: NDArray[np.float64]) -> Self:
        """Return the same cells with other positions, keeping cached values that depend only on the lattices.

        :param positions: ``[N, 3]`` in angstrom.
        :raises AnialError: if there are more or fewer atoms, or a position is not finite.
        """
        if positions.shape != self.positions.shape or not np.isfinite(positions).all():
            raise AnialError(f'cells: positions {positions.shape} do not fit or are not finite.')
        moved = object.__new__(type(self))
        # The class is frozen; updating its dictionary also copies the cached properties.
        moved.__dict__.update(self.__dict__, positions=positions)
        return moved

    @cached_property
    def n_atoms(self) -> NDArray[np.int64]:
        """``[C]`` number of atoms in each cell."""
        return np.diff(self.offsets)

    @cached_property
    def cell_of_atom(self) -> NDArray[np.int64]:
        """``[N]`` index of the cell that each atom belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.n_atoms)

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """``[C]`` volumes in angstrom^3."""
        volumes: NDArray[np.float64] = np.abs(np.linalg.det(self.lattices))
        return volumes
