"""Labels: one configuration with its energy, forces and stress, and many of them as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import ALUMINIUM, Cells, stored_species
from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.common.tensors import TensorFile, parse_tensors, tensor_bytes, write_tensors

__all__ = ('Label', 'LabelledCells', 'assemble', 'content_hash', 'species_bytes')

_KIND = 'dataset'
# In eV/atom. Atoms of aluminium are bound by 3.4; random cells with the closest contacts that are allowed lie 5 above.
_MAX_ENERGY_DIFFERENCE = 15.0
_UNITS = {'length': 'angstrom', 'energy': 'eV', 'force': 'eV/angstrom', 'stress': 'eV/angstrom^3'}


def content_hash(positions: NDArray[np.float64], lattice: NDArray[np.float64], species: NDArray[np.integer]) -> str:
    """Return the SHA-256 of a configuration, which identifies it in all files and nodes.

    Lengths are rounded to 1e-6 angstrom first. All lengths in the structures of this package are whole multiples of
    that, so the hash survives a text file with six or more decimals.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` in angstrom.
    :param species: ``[n]`` atomic numbers.
    """
    rounded = np.rint(np.concatenate([lattice, positions]) * 1e6).astype('<i8')
    return hashlib.sha256(rounded.tobytes() + species_bytes(species)).hexdigest()


def species_bytes(species: NDArray[np.integer]) -> bytes:
    """Return the bytes that the atomic numbers ``[n]`` add to a digest: none if all atoms are aluminium.

    The first datasets held only aluminium and were hashed without species. Their hashes, and the split of the data that
    follows from them, must not change.
    """
    return b'' if np.all(species == ALUMINIUM) else species.astype('<i8').tobytes()


@dataclass(frozen=True, eq=False)
class LabelledCells:
    """C labelled configurations with N atoms in all.

    :param cells: the configurations.
    :param energies: ``[C]`` total energies in eV; with smearing, the free energy.
    :param forces: ``[N, 3]`` in eV/angstrom, minus the gradient of the energy.
    :param stresses: ``[C, 3, 3]`` in eV/angstrom^3, positive in tension (ASE's sign): dE/dstrain / volume.
    :param uuids: ``[C]`` UUID of the calculation that computed each label, or of the trajectory that a frame is from.
    :param iterations: ``[C]`` active-learning iteration, int64; 0 is the initial random dataset.
    :param origins: ``[C]`` ``random``, ``active_learning``, ``thermal``, ``shock``, ``distillation`` or ``imported``.
    """

    SCHEMA_VERSION: ClassVar[int] = 2

    cells: Cells
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    uuids: tuple[str, ...]
    iterations: NDArray[np.int64]
    origins: tuple[str, ...]

    def __post_init__(self) -> None:
        n_cells, n_atoms = len(self.cells), len(self.cells.positions)
        expected = {'energies': (n_cells,), 'forces': (n_atoms, 3), 'stresses': (n_cells, 3, 3)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float64:
                raise AnialError(f'labels: {name} are {array.dtype}{array.shape} where float64{shape} is needed.')
            if not np.isfinite(array).all():
                raise AnialError(f'labels: a value of {name} is not finite.')
        if not len(self.uuids) == len(self.origins) == len(self.iterations) == n_cells:
            raise AnialError(f'labels: {n_cells} cells need as many uuids, origins and iterations.')
        if not np.issubdtype(self.iterations.dtype, np.integer):
            raise AnialError(f'labels: iterations are {self.iterations.dtype} where integers are needed.')

    def __len__(self) -> int:
        return len(self.cells)

    @classmethod
    def concatenate(cls, parts: Sequence[LabelledCells]) -> Self:
        """Return the configurations of all ``parts``, one part after another."""
        counts = np.cumsum([0, *(len(part.forces) for part in parts)])
        offsets = [part.cells.offsets[1:] + start for part, start in zip(parts, counts[:-1], strict=True)]
        return cls(
            cells=Cells(
                np.concatenate([part.cells.positions for part in parts]),
                np.concatenate([part.cells.lattices for part in parts]),
                np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
                np.concatenate([part.cells.species for part in parts]),
            ),
            energies=np.concatenate([part.energies for part in parts]),
            forces=np.concatenate([part.forces for part in parts]),
            stresses=np.concatenate([part.stresses for part in parts]),
            uuids=tuple(uuid for part in parts for uuid in part.uuids),
            iterations=np.concatenate([part.iterations for part in parts]),
            origins=tuple(origin for part in parts for origin in part.origins),
        )

    def select(self, rows: NDArray[np.int64]) -> Self:
        """Return the configurations ``rows``, in that order."""
        atoms = [np.arange(self.cells.offsets[row], self.cells.offsets[row + 1]) for row in rows]
        return type(self)(
            cells=self.cells.select(rows),
            energies=self.energies[rows],
            forces=self.forces[np.concatenate(atoms)],
            stresses=self.stresses[rows],
            uuids=tuple(self.uuids[row] for row in rows),
            iterations=self.iterations[rows],
            origins=tuple(self.origins[row] for row in rows),
        )

    def forces_of(self, index: int) -> NDArray[np.float64]:
        """Return the forces ``[n, 3]`` in eV/angstrom on the atoms of one configuration."""
        return self.forces[self.cells.offsets[index] : self.cells.offsets[index + 1]]

    def hashes(self) -> list[str]:
        """Return the content hash of each configuration."""
        return [content_hash(*one) for one in self.cells.configurations()]

    def unique(self) -> Self:
        """Return the dataset with each configuration once, with the first of its labels."""
        first = {value: row for row, value in reversed(list(enumerate(self.hashes())))}
        return self if len(first) == len(self) else self.select(np.array(sorted(first.values())))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the dataset in the file ``path``.

        :raises FileFormatError: if the file is missing or is not a dataset.
        """
        if not path.is_file():
            raise FileFormatError(f'{path}: there is no such file.')
        return cls.from_bytes(path.read_bytes(), source=str(path))

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = 'dataset') -> Self:
        """Return the dataset in ``data``, the bytes of its file.

        :param source: name of the file, for messages.
        :raises FileFormatError: if the bytes are not a dataset.
        """
        content = parse_tensors(data, source=source, kind=_KIND, schema_version=cls.SCHEMA_VERSION)
        arrays = content.arrays
        try:
            return cls(
                cells=Cells(arrays['positions'], arrays['lattices'], arrays['offsets'], stored_species(content)),
                energies=arrays['energies'],
                forces=arrays['forces'],
                stresses=arrays['stresses'],
                uuids=tuple(str(UUID(bytes=row.tobytes())) for row in arrays['uuids']),
                iterations=arrays['iterations'],
                origins=tuple(content.metadata['origins']),
            )
        except KeyError as exception:
            raise FileFormatError(f'{source}: the dataset has no {exception}.') from exception
        except (AnialError, AttributeError, LookupError, TypeError, ValueError) as exception:
            raise FileFormatError(one_line(f'{source}: {exception}')) from exception

    def write(self, path: Path) -> None:
        """Write the dataset to a safetensors file."""
        write_tensors(path, self._file())

    def to_bytes(self) -> bytes:
        """Return the bytes that ``write`` would write."""
        return tensor_bytes(self._file())

    def _file(self) -> TensorFile:
        uuids = np.frombuffer(b''.join(UUID(uuid).bytes for uuid in self.uuids), dtype=np.uint8).reshape(-1, 16)
        arrays: dict[str, np.ndarray] = {
            'positions': self.cells.positions,
            'lattices': self.cells.lattices,
            'offsets': self.cells.offsets,
            'species': self.cells.species,
            'energies': self.energies,
            'forces': self.forces,
            'stresses': self.stresses,
            'uuids': uuids,
            'iterations': self.iterations,
        }
        metadata: dict[str, Any] = {'units': _UNITS, 'origins': list(self.origins)}
        return TensorFile(_KIND, self.SCHEMA_VERSION, metadata, arrays)


@dataclass(frozen=True, eq=False)
class Label:
    """One configuration with its label.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` in angstrom.
    :param species: ``[n]`` atomic numbers.
    :param energy: total energy in eV.
    :param forces: ``[n, 3]`` in eV/angstrom.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension.
    :param uuid: UUID of the calculation.
    """

    positions: NDArray[np.float64]
    lattice: NDArray[np.float64]
    species: NDArray[np.integer]
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    uuid: str

    def fault(self, *, max_force: float) -> str | None:
        """Return why the label must be rejected, or ``None`` if it is sound.

        :param max_force: a larger force on an atom, in eV/angstrom, is unphysical.
        """
        if not (np.isfinite(self.energy) and np.isfinite(self.forces).all() and np.isfinite(self.stress).all()):
            return 'the energy, a force or the stress is not finite'
        largest = float(np.linalg.norm(self.forces, axis=1).max())
        if largest > max_force:
            return f'unphysical: a force of {largest:.1f} eV/angstrom is above the limit of {max_force:g}'
        return None


def assemble(
    labels: Mapping[str, Label], *, max_force: float, iteration: int, origin: str
) -> tuple[LabelledCells | None, dict[str, str]]:
    """Return the sound labels as one dataset, sorted by name, and the faults of the rejected ones by name.

    The dataset is ``None`` if no label is sound.

    :param max_force: a larger force on an atom, in eV/angstrom, is unphysical.
    :param iteration: active-learning iteration, 0 for the initial random dataset.
    :param origin: ``random``, ``active_learning``, ``thermal``, ``shock``, ``distillation`` or ``imported``.
    """
    faults = {name: fault for name, label in labels.items() if (fault := label.fault(max_force=max_force))}
    faults |= _faults_among({name: label for name, label in labels.items() if name not in faults})
    sound = [labels[name] for name in sorted(labels) if name not in faults]
    if not sound:
        return None, faults
    dataset = LabelledCells(
        cells=Cells.from_lists(
            [label.positions for label in sound],
            [label.lattice for label in sound],
            species=[label.species for label in sound],
        ),
        energies=np.array([label.energy for label in sound]),
        forces=np.concatenate([label.forces for label in sound]),
        stresses=np.stack([label.stress for label in sound]),
        uuids=tuple(label.uuid for label in sound),
        iterations=np.full(len(sound), iteration, dtype=np.int64),
        origins=(origin,) * len(sound),
    )
    return dataset, faults


def _faults_among(labels: Mapping[str, Label]) -> dict[str, str]:
    """Return which labels must be rejected since there are others: outliers of the energy, and repeated cells."""
    energies = {name: label.energy / len(label.positions) for name, label in labels.items()}
    middle = float(np.median(list(energies.values()))) if energies else 0.0
    faults, first = {}, dict[str, str]()
    for name, label in labels.items():
        key = content_hash(label.positions, label.lattice, label.species)
        if abs(energies[name] - middle) > _MAX_ENERGY_DIFFERENCE:
            faults[name] = f'unphysical: {energies[name]:.4g} eV/atom, where the median is {middle:.4g}'
        elif key in first:
            faults[name] = f'the same configuration as {first[key]}'
        first.setdefault(key, name)
    return faults
