"""Datasets in the formats of other programs: ``write_dataset`` and ``read_dataset``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.formats.ase_database import read_ase_database, write_ase_database
from aiida_anial.formats.exported import ExportedDataset, given_header
from aiida_anial.formats.extxyz import read_extxyz, write_extxyz
from aiida_anial.formats.files import reading, replaced
from aiida_anial.formats.hdf5 import read_hdf5, write_hdf5
from aiida_anial.formats.importing import Record, check_counts, checked_dataset
from aiida_anial.formats.parquet import read_parquet, write_parquet
from aiida_anial.formats.plausibility import ENERGY_UNITS

__all__ = ('DATASET_FORMATS', 'DatasetFormat', 'read_dataset', 'write_dataset')


@dataclass(frozen=True)
class DatasetFormat:
    """A file format of datasets.

    :param suffix: usual suffix of file names; for HDF5, torchani requires it.
    :param description: description for messages, with its article.
    :param first_bytes: bytes by which files are recognised; empty for text.
    :param energy_unit: unit of energy in foreign files that do not state it.
    :param write: writes a dataset to a path.
    :param read: returns the records and the header, given a path and the unit of energy in eV.
    """

    suffix: str
    description: str
    first_bytes: bytes
    energy_unit: str
    write: Callable[[Path, ExportedDataset], None]
    read: Callable[..., tuple[list[Record], Any]]


DATASET_FORMATS = {
    'extxyz': DatasetFormat('.extxyz', 'an extended XYZ file', b'', 'eV', write_extxyz, read_extxyz),
    'hdf5': DatasetFormat(
        '.h5', 'an HDF5 file in the ANI layout', b'\x89HDF\r\n\x1a\n', 'hartree', write_hdf5, read_hdf5
    ),
    'ase_db': DatasetFormat(
        '.db', 'an SQLite database of ASE', b'SQLite format 3\0', 'eV', write_ase_database, read_ase_database
    ),
    'parquet': DatasetFormat(
        '.parquet', 'a Parquet file with the columns of ColabFit', b'PAR1', 'eV', write_parquet, read_parquet
    ),
}


def write_dataset(path: Path, dataset: ExportedDataset, *, file_format: str) -> None:
    """Write ``dataset`` to ``path``; the same dataset gives the same bytes.

    :param file_format: one of ``DATASET_FORMATS``.
    :raises AnialError: if the format is unknown, the dataset is empty, or the file cannot be written.
    """
    if len(dataset) == 0:
        raise AnialError(f'{path}: a dataset without a configuration is not written.')
    chosen = _format(file_format)
    with replaced(path) as temporary:
        chosen.write(temporary, dataset)


def read_dataset(
    path: Path,
    *,
    file_format: str | None = None,
    energy_unit: str | None = None,
    trust_units: bool = False,
    may_be_part: bool = False,
    elements: Collection[str] | None = None,
) -> ExportedDataset:
    """Return the dataset in a file of this package or of another program.

    Lengths must be in angstrom, forces and stresses in the unit of energy and angstrom. Labels in foreign files are
    compared with effective medium theory, which reveals wrong units and signs.

    :param file_format: one of ``DATASET_FORMATS``; None means that the first bytes decide.
    :param energy_unit: ``eV``, ``hartree`` or ``Ry``; None means hartree for HDF5, as in torchani, and eV for others.
        Must not be given for files that this package wrote.
    :param trust_units: skip that comparison.
    :param may_be_part: accept a file of this package from which configurations have been removed.
    :param elements: symbols of the elements that configurations may contain; None means any.
    :raises AnialError: if the format or the unit is unknown.
    :raises FileFormatError: one sentence about what is wrong in the file, and where.
    """
    if not path.is_file():
        raise FileFormatError(f'{path}: there is no such file.')
    chosen = _format(file_format) if file_format is not None else _recognised(path)
    unit = energy_unit or chosen.energy_unit
    if unit not in ENERGY_UNITS:
        raise AnialError(f'energy_unit: {unit!r} is not one of {", ".join(ENERGY_UNITS)}.')
    with reading(path, kind=chosen.description):
        records, header = chosen.read(path, energy=ENERGY_UNITS[unit])
        if energy_unit is not None and given_header(header) is not None:
            raise AnialError(f'energy_unit: the file states its units itself, leave {energy_unit!r} out')
        dataset = checked_dataset(
            records, path=path, header=header, energy_unit=unit, trust_units=trust_units, elements=elements
        )
        if not may_be_part:
            check_counts(header, dataset.labelled.cells)
        return dataset


def _format(name: str) -> DatasetFormat:
    if name not in DATASET_FORMATS:
        raise AnialError(f'format: {name!r} is not one of {", ".join(DATASET_FORMATS)}.')
    return DATASET_FORMATS[name]


def _recognised(path: Path) -> DatasetFormat:
    """Return the format that the first bytes of a file indicate, or else that of text files."""
    with path.open('rb') as file:
        start = file.read(max(len(known.first_bytes) for known in DATASET_FORMATS.values()))
    binary = (known for known in DATASET_FORMATS.values() if known.first_bytes and start.startswith(known.first_bytes))
    return next(binary, DATASET_FORMATS['extxyz'])
