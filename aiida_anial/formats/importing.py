"""Configurations from foreign files: records, their checks, and the dataset that they form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.labels import LabelledCells, content_hash
from aiida_anial.formats.exported import ExportedDataset, given_header
from aiida_anial.formats.plausibility import implausible_labels, implausible_lengths
from aiida_anial.potential.neighbours import neighbour_lists
from aiida_anial.sampling.loops import closest_contact

__all__ = ('MIN_DISTANCE', 'Record', 'check_counts', 'checked_dataset')

# Options of `aiida-anial import dataset`.
_REMEDY = '--energy-unit names another unit, --trust-units skips this check'

# In angstrom. No two nuclei of a label come closer than this, not even in a shock wave.
MIN_DISTANCE = 0.5

# Far beyond what anybody labels. Atoms at one position have as many pairs as the square of their number.
_MAX_ATOMS = 2000
_MAX_LENGTH = 1e6
_MIN_VOLUME_PER_ATOM = 0.01


@dataclass(frozen=True, eq=False)
class Record:
    """A configuration in the units of this package, unchecked.

    :param where: name in messages, such as ``configuration 3``.
    :param numbers: ``[n]`` atomic numbers.
    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` in angstrom.
    :param is_periodic: whether the cell is periodic in all three directions.
    :param energy: total energy in eV; None if the file has none.
    :param forces: ``[n, 3]`` in eV/angstrom; None if the file has none.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension; None if the file has none.
    :param columns: other values that the file holds about the configuration.
    """

    where: str
    numbers: NDArray[np.integer]
    positions: NDArray[np.float64]
    lattice: NDArray[np.float64]
    is_periodic: bool
    energy: float | None
    forces: NDArray[np.float64] | None
    stress: NDArray[np.float64] | None
    columns: Mapping[str, Any]

    def fault(self, *, elements: Collection[str] | None) -> str | None:
        """Return why this is not a label of a periodic cell of ``elements`` (None means any), or None if it is."""
        return self._composition_fault(elements) or self._number_fault() or self._cell_fault()

    def _composition_fault(self, elements: Collection[str] | None) -> str | None:
        n_atoms = len(self.numbers)
        if n_atoms == 0:
            return 'has no atoms'
        if n_atoms > _MAX_ATOMS:
            return f'has {n_atoms} atoms where at most {_MAX_ATOMS} are allowed'
        for number in sorted({int(number) for number in self.numbers}):
            is_element = 0 < number < len(chemical_symbols)
            name = chemical_symbols[number] if is_element else f'atomic number {number}'
            if elements is not None and name not in elements:
                return f'species: has {name} where only {", ".join(elements)} is known'
            if not is_element:
                return f'species: has {name}, which is not an element'
        if not self.is_periodic:
            return 'pbc: is not periodic in all three directions'
        return None

    def _number_fault(self) -> str | None:
        n_atoms = len(self.numbers)
        shapes = {'positions': (n_atoms, 3), 'lattice': (3, 3), 'energy': (), 'forces': (n_atoms, 3), 'stress': (3, 3)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is None:
                return f'has no {name}; a label needs energy, forces and stress'
            if np.shape(value) != shape:
                return f'{name}: has shape {np.shape(value)} where {shape} is needed'
            if not np.isfinite(value).all():
                return f'{name}: a value is not finite'
        for name in ('positions', 'lattice'):
            if np.abs(getattr(self, name)).max() > _MAX_LENGTH:
                return f'{name}: a value is beyond {_MAX_LENGTH:g} angstrom'
        return None

    def _cell_fault(self) -> str | None:
        # The heights of a cell are its volume divided by the areas of its faces.
        volume = float(np.linalg.det(self.lattice))
        if abs(volume) < 1e-3:
            return 'lattice: the cell has no volume'
        if volume < 0:
            return 'lattice: the cell is left-handed; swap two of its vectors'
        faces = np.linalg.norm(np.cross(self.lattice[[1, 2, 0]], self.lattice[[2, 0, 1]]), axis=1)
        height = volume / float(faces.max())
        if height < MIN_DISTANCE:
            return f'lattice: the cell is {height:.2g} angstrom thin'
        if volume / len(self.numbers) < _MIN_VOLUME_PER_ATOM:
            return f'lattice: an atom has no more than {volume / len(self.numbers):.2g} angstrom^3'
        return None


# Namespace of UUIDs for labels of unknown calculations: equal configurations always get equal UUIDs.
_NAMESPACE = uuid5(NAMESPACE_URL, 'aiida-anial/imported')
_UNKNOWN_LEVEL = 'unknown'


def checked_dataset(
    records: Iterable[Record],
    *,
    path: Path,
    header: Any,
    energy_unit: str,
    trust_units: bool,
    elements: Collection[str] | None,
) -> ExportedDataset:
    """Return the configurations of a file as a dataset, or raise an error about the first invalid one.

    Left-handed cells are refused, not converted: another order of lattice vectors would give another content hash.

    :param records: the configurations.
    :param path: path of the file, for messages.
    :param header: anything found in place of the header.
    :param energy_unit: unit of energy in which the file was read, for messages.
    :param trust_units: skip the comparison of foreign labels with effective medium theory.
    :param elements: symbols of the elements that configurations may contain; None means any.
    :raises FileFormatError: one sentence that names the file, the configuration and the key.
    """
    listed = list(records)
    if not listed:
        raise FileFormatError(f'{path}: holds no configuration.')
    for record in listed:
        if fault := record.fault(elements=elements):
            raise FileFormatError(f'{path}: {record.where}: {fault}.')
    cells = Cells.from_lists(
        [record.positions for record in listed],
        [record.lattice for record in listed],
        species=[record.numbers for record in listed],
    )
    given = given_header(header)
    is_foreign = given is None and not trust_units
    if is_foreign and (fault := implausible_lengths(cells)):
        raise FileFormatError(f'{path}: {fault}.')
    _check_contacts(cells, listed, path)
    dataset = _dataset(cells, listed, path, given)
    if is_foreign and (fault := implausible_labels(dataset.labelled, energy_unit=energy_unit)):
        raise FileFormatError(f'{path}: {fault}; {_REMEDY}.')
    return dataset


def check_counts(header: Any, cells: Cells) -> None:
    """Refuse a file of this package from which configurations or atoms have been removed.

    :param header: anything found in place of the header.
    :raises AnialError: if configurations or atoms are missing.
    """
    if given_header(header) is None:
        return
    found = {'n_configurations': len(cells), 'n_atoms': len(cells.positions)}
    for name, count in found.items():
        if header.get(name) != count:
            raise AnialError(
                f'header: says {name} {header.get(name)}, but the file has {count}; remove the header if the others '
                'were left out on purpose'
            )


def _check_contacts(cells: Cells, records: list[Record], path: Path) -> None:
    """Raise an error if two atoms, or an atom and its image, are closer than ``MIN_DISTANCE``."""
    for record, (positions, _), pairs in zip(records, cells, neighbour_lists(cells, cutoff=MIN_DISTANCE), strict=True):
        distance = closest_contact(positions, pairs)
        if distance < MIN_DISTANCE:
            raise FileFormatError(f'{path}: {record.where}: positions: two atoms are {distance:.2f} angstrom apart.')


def _dataset(cells: Cells, records: list[Record], path: Path, given: dict[str, Any] | None) -> ExportedDataset:
    """Return the dataset of valid records."""
    columns = [_columns(record, path, is_ours=given is not None) for record in records]
    labelled = LabelledCells(
        cells=cells,
        energies=np.array([record.energy for record in records], dtype=np.float64),
        forces=np.concatenate([np.asarray(record.forces, dtype=np.float64) for record in records]),
        stresses=np.array([record.stress for record in records], dtype=np.float64),
        uuids=tuple(row['calculation'] for row in columns),
        iterations=np.array([row['iteration'] for row in columns], dtype=np.int64),
        origins=tuple(row['origin'] for row in columns),
    )
    return ExportedDataset(labelled, tuple(row['level_of_theory'] for row in columns), given or {})


def _columns(record: Record, path: Path, *, is_ours: bool) -> Mapping[str, Any]:
    """Return the columns of a configuration, or defaults if the file does not have the columns of this package."""
    found = content_hash(record.positions, record.lattice, record.numbers)
    given = record.columns
    if not is_ours and 'content_hash' not in given:
        calculation = str(uuid5(_NAMESPACE, found))
        return {'calculation': calculation, 'iteration': 0, 'origin': 'imported', 'level_of_theory': _UNKNOWN_LEVEL}
    if given.get('content_hash') != found:
        raise FileFormatError(f'{path}: {record.where}: content_hash: is not that of the lattice and the atoms.')
    return {name: _read(name, read, record, path) for name, read in _READERS.items()}


def _read(name: str, read: Callable[[Any], Any], record: Record, path: Path) -> Any:
    """Return the value in one column.

    :raises FileFormatError: if the column is missing, or the value is invalid.
    """
    if name not in record.columns:
        raise FileFormatError(f'{path}: {record.where}: has no {name}.')
    try:
        return read(record.columns[name])
    except (AttributeError, TypeError, ValueError) as exception:
        raise FileFormatError(f'{path}: {record.where}: {name}: {exception}.') from exception


def _whole(value: Any) -> int:
    """Return a number of any type as an integer.

    :raises ValueError: if it is not a whole number.
    """
    if int(value) != value:
        raise ValueError(f'{value!r} is not a whole number')
    return int(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    'calculation': lambda value: str(UUID(value)),
    'iteration': _whole,
    'origin': str,
    'level_of_theory': str,
}
