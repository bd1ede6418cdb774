"""Extended XYZ: written and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io.extxyz import key_val_str_to_dict, read_xyz
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.formats.importing import Record

__all__ = ('numbers', 'quoted_json', 'read_extxyz', 'text', 'write_extxyz')

_READ_AS_BOOLEAN = {'T', 'F', 'true', 'false', 'True', 'False', 'TRUE', 'FALSE'}
_SPECIAL = set('\\"\'{}[]=, ')


def numbers(values: NDArray[np.float64]) -> str:
    """Return numbers in quotes with all their digits, a matrix row by row."""
    return '"' + ' '.join(map(repr, values.ravel().tolist())) + '"'


def quoted_json(value: Any) -> str:
    """Return any JSON value in quotes, in the form that ASE reads back."""
    content = json.dumps(value, sort_keys=True, allow_nan=False)
    return '"_JSON ' + content.replace('\\', '\\\\').replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return ``value`` in a form that ASE reads as text, even if it looks like a number, such as ``12e5``."""
    is_plain = value and not (value in _READ_AS_BOOLEAN or _SPECIAL & set(value) or _is_number(value))
    return value if is_plain else quoted_json(value)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


_ATOM = '%s %r %r %r %r %r %r\n'
_PROPERTIES = 'species:S:1:pos:R:3:forces:R:3'

# If there are no plain names, those of MACE are used.
_PREFIXES = ('', 'REF_')

# ASE parses comments letter by letter, and allocates every column that they declare.
_MAX_LINE_BYTES = 2**22
_MAX_COLUMNS = 1000


def write_extxyz(path: Path, dataset: ExportedDataset) -> None:
    """Write the file with all digits of every number; only the antisymmetric part of a stress is lost.

    The writer of ASE takes twice as long and keeps eight decimals.
    """
    with path.open('w', encoding='ascii', newline='\n') as file:
        for index, (positions, _, species) in enumerate(dataset.labelled.cells.configurations()):
            rows = np.concatenate([positions, dataset.labelled.forces_of(index)], axis=1).tolist()
            file.write(f'{len(rows)}\n{_comment(dataset, index)}\n')
            file.writelines(_ATOM % (chemical_symbols[number], *row) for number, row in zip(species, rows, strict=True))


def _comment(dataset: ExportedDataset, index: int) -> str:
    """Return the comment line of one configuration; that of the first one holds the header."""
    labelled = dataset.labelled
    stress = labelled.stresses[index]
    entries = {
        'Lattice': numbers(labelled.cells.lattices[index]),
        'Properties': _PROPERTIES,
        'energy': repr(float(labelled.energies[index])),
        'stress': numbers((stress + stress.T) / 2),
        'pbc': '"T T T"',
    }
    for name, value in dataset.columns(index).items():
        entries[name] = text(value) if isinstance(value, str) else str(value)
    if index == 0:
        entries['header'] = quoted_json(dataset.file_header)
    return ' '.join(f'{name}={value}' for name, value in entries.items())


def read_extxyz(path: Path, *, energy: float) -> tuple[list[Record], Any]:
    """Return the configurations of an extended XYZ file and its header, if it has one.

    :param energy: the unit of energy in the file, in eV; lengths are in angstrom.
    :raises FileFormatError: if a configuration is incomplete. ASE raises other exceptions.
    """
    _check_frames(path)
    records: list[Record] = []
    header: Any = None
    # Opened here, because ASE would interpret an @ in the name as an index and suffixes as compression.
    with path.open(encoding='utf-8', newline='\n') as file:
        for number, atoms in enumerate(read_xyz(file, slice(None), _comment_values), start=1):
            header = atoms.info.pop('header', None) if number == 1 else header
            records.append(_record(atoms, f'configuration {number}', energy))
    return records, header


def _comment_values(comment: str) -> dict[str, Any]:
    """Return the entries of a comment line, parsed by ASE.

    :raises ValueError: if it declares too many columns.
    """
    values: dict[str, Any] = key_val_str_to_dict(comment)
    declared = str(values.get('Properties', '')).split(':')[2::3]
    n_columns = sum(abs(int(count)) for count in declared)
    if n_columns > _MAX_COLUMNS:
        raise ValueError(f'{n_columns} columns are declared where at most {_MAX_COLUMNS} are allowed')
    return values


def _record(atoms: Atoms, where: str, energy: float) -> Record:
    results = atoms.calc.results if atoms.calc is not None else {}
    values = {**atoms.arrays, **atoms.info, **results}
    found = {
        name: next((values[prefix + name] for prefix in _PREFIXES if prefix + name in values), None)
        for name in ('energy', 'forces', 'stress')
    }
    return Record(
        where=where,
        numbers=atoms.numbers,
        positions=atoms.positions,
        lattice=atoms.cell.array,
        is_periodic=bool(atoms.pbc.all()),
        energy=None if found['energy'] is None else float(found['energy']) * energy,
        forces=None if found['forces'] is None else np.asarray(found['forces'], dtype=np.float64) * energy,
        stress=None if found['stress'] is None else _matrix(found['stress']) * energy,
        columns=atoms.info,
    )


def _matrix(stress: Any) -> NDArray[np.float64]:
    """Return a stress ``[3, 3]`` from any of the forms in files; other shapes are returned unchanged."""
    values = np.asarray(stress, dtype=np.float64)
    if values.shape == (6,):
        values = voigt_6_to_full_3x3_stress(values)
    return values.reshape(3, 3) if values.size == 9 else values


def _check_frames(path: Path) -> None:
    """Raise an error if a configuration is incomplete, which ASE would not notice."""
    with path.open('rb') as file:
        for number, n_atoms in enumerate(_atom_counts(file, path), start=1):
            for count in range(n_atoms + 1):
                line = file.readline(_MAX_LINE_BYTES)
                if not line:
                    n_found = max(count - 1, 0)
                    raise FileFormatError(f'{path}: configuration {number} has {n_found} of its {n_atoms} atoms.')
                if len(line) == _MAX_LINE_BYTES:
                    raise FileFormatError(f'{path}: configuration {number}: a line has more than {len(line)} bytes.')


def _atom_counts(file: IO[bytes], path: Path) -> Iterator[int]:
    """Yield the number of atoms of each configuration; the caller must read its lines before the next one."""
    number = 0
    while line := file.readline(_MAX_LINE_BYTES):
        number += 1
        if not line.strip():
            if file.read().strip():
                raise FileFormatError(f'{path}: configuration {number} begins with an empty line.')
            return
        if not line.strip().isdigit():
            start = line.decode('ascii', errors='replace').strip()[:40]
            raise FileFormatError(f'{path}: configuration {number} begins with {start!r} and not its number of atoms.')
        yield int(line)
