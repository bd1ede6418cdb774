"""The content of a dataset file: labels, their levels of theory, and a header with their origin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ase.data import chemical_symbols

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, is_printable
from aiida_anial.common.labels import LabelledCells
from aiida_anial.training.splits import N_BLOCKS, block_of

__all__ = ('FORMAT', 'FORMAT_VERSION', 'OWN_KEYS', 'ExportedDataset', 'file_header', 'given_header', 'header_text')

FORMAT = 'aiida-anial dataset'
FORMAT_VERSION = 2

_UNITS = {
    'energy': 'eV',
    'forces': 'eV/angstrom',
    'length': 'angstrom',
    'stress': 'eV/angstrom^3',
}
_CONVENTIONS = {
    'calculation': 'UUID of the calculation that gave the label',
    'content_hash': 'SHA-256 of lattice and positions in whole 1e-6 angstrom, little-endian int64, lattice first, and '
    'of the atomic numbers, little-endian int64, unless all are 13',
    'energy': 'total energy of the cell',
    'forces': 'minus the gradient of the energy',
    'iteration': 'active-learning iteration; 0 is the initial random dataset',
    'lattice': 'one lattice vector a row',
    'split_block': f'first 32 bits of content_hash modulo {N_BLOCKS}: equal configurations are in one block for ever; '
    f'member m validates on the blocks 2m and 2m + 1, is tested on 2m + 2 (modulo {N_BLOCKS}) and trains on the others',
    'stress': 'derivative of the energy by strain over the volume, positive in tension',
}

_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')

OWN_KEYS = ('conventions', 'element', 'elements', 'format', 'format_version', 'n_atoms', 'n_configurations', 'units')


def file_header(given: Mapping[str, Any], *, cells: Cells) -> dict[str, Any]:
    """Return the header of a file: ``given``, and the entries of the format itself.

    :param given: JSON values of the caller, without the keys in ``OWN_KEYS``.
    :param cells: the configurations in the file.
    """
    return {
        **given,
        'format': FORMAT,
        'format_version': FORMAT_VERSION,
        'elements': sorted({chemical_symbols[number] for number in cells.species}),
        'n_configurations': len(cells),
        'n_atoms': len(cells.positions),
        'units': _UNITS,
        'conventions': _CONVENTIONS,
    }


def header_text(header: Mapping[str, Any]) -> str:
    """Return ``header`` as JSON in ASCII, without line breaks, with sorted keys.

    :raises AnialError: if a value cannot be represented in JSON.
    """
    try:
        return json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exception:
        raise AnialError(f'header: not made of JSON values ({exception}).') from exception


def given_header(found: Any) -> dict[str, Any] | None:
    """Return the values given to ``file_header``, or None if ``found`` is not a header written by this package.

    :param found: anything found in a file in place of the header.
    :raises AnialError: if the format is newer than this package, or the units are not those of this package.
    """
    if not isinstance(found, Mapping) or found.get('format') != FORMAT:
        return None
    version = found.get('format_version')
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise AnialError(f'header: has format_version {version}, newer than {FORMAT_VERSION}; update aiida-anial.')
    if found.get('units') != _UNITS:
        raise AnialError(f'header: has units {found.get("units")} where {_UNITS} are needed.')
    _check_kinds(found)
    if (text := next(_unprintable(found), None)) is not None:
        raise AnialError(f'header: {text[:40]!r} has characters that cannot be printed.')
    return {key: value for key, value in found.items() if key not in OWN_KEYS}


def _check_kinds(found: Mapping[str, Any]) -> None:
    """Raise an error if an entry that this package uses has the wrong type."""
    levels = found.get('levels_of_theory', {})
    if not isinstance(levels, Mapping):
        raise AnialError(f'header: levels_of_theory: is a {type(levels).__name__} where an object is needed.')
    shards = found.get('shards', [])
    if not isinstance(shards, list) or not all(isinstance(uuid, str) and _UUID.fullmatch(uuid) for uuid in shards):
        raise AnialError('header: shards: is not a list of UUIDs.')


def _unprintable(value: Any) -> Iterator[str]:
    """Yield the texts inside a JSON value that are not printable."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str) and not is_printable(one):
            yield one
        elif isinstance(one, Mapping):
            left.extend(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


@dataclass(frozen=True, eq=False)
class ExportedDataset:
    """Labelled configurations with the data that a file holds about each and about all of them.

    :param labelled: the configurations and their labels.
    :param levels: ``[C]`` short key of the level of theory of each label, visible ASCII; labels may differ in it.
    :param header: JSON values of the caller, such as the levels of theory by their keys and the filters of a query.
    :raises AnialError: if there are fewer levels than configurations, or a text or the header cannot be written.
    """

    labelled: LabelledCells
    levels: tuple[str, ...]
    header: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.labelled):
            raise AnialError(f'dataset: {len(self.levels)} levels of theory for {len(self.labelled)} configurations.')
        for text in {*self.levels, *self.labelled.origins}:
            if not re.fullmatch(r'[!-~]{1,64}', text):
                raise AnialError(f'dataset: {text!r} is not a name of 1 to 64 visible ASCII characters.')
        for uuid in self.labelled.uuids:
            if not _UUID.fullmatch(uuid):
                raise AnialError(f'dataset: {uuid!r} is not a UUID with its hyphens.')
        if taken := sorted(set(self.header) & set(OWN_KEYS)):
            raise AnialError(f'header: {", ".join(taken)} is written by the format itself.')
        header_text(self.header)

    def __len__(self) -> int:
        return len(self.labelled)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """``[C]`` content hashes."""
        return tuple(self.labelled.hashes())

    def columns(self, index: int) -> dict[str, str | int]:
        """Return the columns of one configuration that a file holds besides its label."""
        return {
            'calculation': self.labelled.uuids[index],
            'iteration': int(self.labelled.iterations[index]),
            'origin': self.labelled.origins[index],
            'split_block': block_of(self.hashes[index]),
            'content_hash': self.hashes[index],
            'level_of_theory': self.levels[index],
        }

    @property
    def file_header(self) -> dict[str, Any]:
        """The header of the file, about all configurations."""
        return file_header(self.header, cells=self.labelled.cells)
