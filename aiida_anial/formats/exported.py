"""A dataset on its way into a file or out of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labelled_cells import LabelledCells
from aiida_anial.formats.header import OWN_KEYS, file_header, header_text
from aiida_anial.training.splits import block_of

__all__ = ('ExportedDataset',)

_UUID = r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'


@dataclass(frozen=True, eq=False)
class ExportedDataset:
    """Labelled configurations with what a file says about each, and about all of them.

    :param labelled: the configurations and their labels.
    :param levels: ``[C]`` short key of the level of theory of each label, visible ASCII; there may be several.
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
            if not re.fullmatch(_UUID, uuid):
                raise AnialError(f'dataset: {uuid!r} is not a UUID with its hyphens.')
        if taken := sorted(set(self.header) & set(OWN_KEYS)):
            raise AnialError(f'header: {", ".join(taken)} is what the format itself says.')
        header_text(self.header)

    def __len__(self) -> int:
        return len(self.labelled)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """``[C]`` content hashes."""
        return tuple(self.labelled.hashes())

    def columns(self, index: int) -> dict[str, str | int]:
        """Return what a file says about one configuration beside its label."""
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
        """What a file says about all configurations."""
        n_atoms = int(self.labelled.cells.n_atoms.sum())
        return file_header(self.header, n_configurations=len(self), n_atoms=n_atoms)
