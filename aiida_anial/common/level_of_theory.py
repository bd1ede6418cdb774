"""The level of theory of labels: only labels of the same level may be trained on together."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, ClassVar

from pydantic import Field

from aiida_anial.common.settings import Positive, Settings

__all__ = ('LevelOfTheory',)

_Count = Annotated[int, Field(ge=1)]


class LevelOfTheory(Settings):
    """The level of theory of a set of labels; fields that do not apply to the program are ``None``.

    :param code: program, such as ``pw.x``, ``emt``, ``eam`` or ``ensemble``.
    :param version: version of the program; labels of different versions may be mixed.
    :param functional: exchange-correlation functional, such as ``PBE``.
    :param pseudo_md5: MD5 of the pseudopotential file; for several elements ``Al:MD5 Ni:MD5``.
    :param potential_sha256: SHA-256 of the file of a classical potential or of an ensemble.
    :param ecutwfc_ry: wavefunction cutoff, Ry.
    :param ecutrho_ry: charge-density cutoff, Ry.
    :param smearing: ``cold``, ``gaussian``, ``methfessel-paxton`` or ``fermi-dirac``.
    :param degauss_ry: smearing width, Ry.
    :param kpoints_mesh: Monkhorst-Pack mesh, if it is the same for all cells.
    :param kpoints_distance_per_angstrom: otherwise the largest distance between k-points in every cell, 1/angstrom.
    :param kpoints_per_reciprocal_atom: otherwise the least product of k-points and atoms in every cell.
    """

    UNITS: ClassVar[dict[str, str]] = {
        'ecutwfc_ry': 'Ry',
        'ecutrho_ry': 'Ry',
        'degauss_ry': 'Ry',
        'kpoints_distance_per_angstrom': '1/angstrom',
    }

    code: str
    version: str | None = None
    functional: str | None = None
    pseudo_md5: str | None = None
    potential_sha256: str | None = None
    ecutwfc_ry: Positive | None = None
    ecutrho_ry: Positive | None = None
    smearing: str | None = None
    degauss_ry: Positive | None = None
    kpoints_mesh: tuple[_Count, _Count, _Count] | None = None
    kpoints_distance_per_angstrom: Positive | None = None
    kpoints_per_reciprocal_atom: _Count | None = None

    @property
    def key(self) -> str:
        """The name of this level of theory in exported files: one word, which no reader can mistake for a number."""
        values = self.to_dict()
        # Levels of before this field keep their names.
        if values['kpoints_per_reciprocal_atom'] is None:
            del values['kpoints_per_reciprocal_atom']
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        return f'theory_{digest[:12]}'

    def differences(self, other: LevelOfTheory) -> list[str]:
        """Describe each field in which the two levels differ, apart from the version of the program."""
        mine, its = self.to_dict(), other.to_dict()
        return [
            f'{name} {_text(mine[name])} and {_text(its[name])}'
            for name in mine
            if name != 'version' and mine[name] != its[name]
        ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return 'x'.join(str(part) for part in value)
    return f'{value:g}' if isinstance(value, float) else 'none' if value is None else str(value)
