"""The trigonal path from FCC through SC to BCC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from aiida_anial.common.settings import Range, Settings
from aiida_anial.properties.constant_volume_path import ConstantVolumePath, check_path_range
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.task import Evaluation, Task

__all__ = ('TrigonalPath', 'TrigonalSettings')

_CRYSTALS = {'fcc': 1.0, 'sc': 0.5, 'bcc': 0.25}


class TrigonalSettings(Settings):
    """Which part of the path is computed.

    :param range_stretch_ratio: it must hold 0.25, BCC, 0.5, SC, and 1, FCC.
    :param n_points: number of cells.
    """

    range_stretch_ratio: Range = (0.2, 1.3)
    n_points: Annotated[int, Field(ge=4)] = 23

    @model_validator(mode='after')
    def _check_range(self) -> Self:
        check_path_range('range_stretch_ratio', self.range_stretch_ratio, self.n_points, _CRYSTALS)
        return self


class TrigonalPath:
    """Energy above FCC against the stretch along [111], at the volume of FCC.

    The stretch ratio is that of Smith et al., Nat. Commun. 12, 1257 (2021): the distance between {111} layers over that
    between neighbours within one, relative to FCC.
    """

    def __init__(self, settings: TrigonalSettings) -> None:
        self.settings = settings
        self._path = ConstantVolumePath(
            'trigonal', 'stretch_ratio', settings.range_stretch_ratio, settings.n_points, _CRYSTALS, _rhombohedral
        )

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells of one atom along the path."""
        return self._path.tasks(lattice_constant)

    def analyse(
        self,
        lattice_constant: float,  # noqa: ARG002 - the energies say it all
        evaluations: Mapping[str, Evaluation],
    ) -> PropertyResult:
        """Return the path, and SC - FCC and BCC - FCC at constant volume."""
        return self._path.analyse(evaluations)


def _rhombohedral(volume: float, stretch_ratio: float) -> Atoms:
    """Return the primitive cell of FCC, stretched by s^(2/3) along [111] and by s^(-1/3) across it."""
    atoms = CRYSTALS['fcc'].atoms(volume)
    along = np.full((3, 3), 1 / 3)
    across = np.eye(3) - along
    stretch = stretch_ratio ** (2 / 3) * along + stretch_ratio ** (-1 / 3) * across
    atoms.set_cell(atoms.cell[:] @ stretch, scale_atoms=True)
    return atoms
