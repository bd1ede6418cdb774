"""The tetragonal path from FCC to BCC (E. C. Bain, Trans. AIME 70, 25 (1924))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Annotated, Self

from ase import Atoms
from pydantic import Field, model_validator

from aiida_anial.common.settings import Range, Settings
from aiida_anial.properties.constant_volume_path import ConstantVolumePath, check_path_range
from aiida_anial.properties.crystals import CRYSTALS
from aiida_anial.properties.property import PropertyResult
from aiida_anial.properties.task import Evaluation, Task

__all__ = ('BainPath', 'BainSettings')

_CRYSTALS = {'bcc': 1.0, 'fcc': sqrt(2)}


class BainSettings(Settings):
    """Which part of the path is computed.

    :param range_c_over_a: of the body-centred tetragonal cell; it must hold 1, BCC, and sqrt 2, FCC.
    :param n_points: number of cells.
    """

    range_c_over_a: Range = (0.85, 1.6)
    n_points: Annotated[int, Field(ge=4)] = 16

    @model_validator(mode='after')
    def _check_range(self) -> Self:
        check_path_range('range_c_over_a', self.range_c_over_a, self.n_points, _CRYSTALS)
        return self


class BainPath:
    """Energy above FCC against c/a of the body-centred tetragonal cell, at the volume of FCC."""

    def __init__(self, settings: BainSettings) -> None:
        self.settings = settings
        self._path = ConstantVolumePath(
            'bain', 'c_over_a', settings.range_c_over_a, settings.n_points, _CRYSTALS, _tetragonal
        )

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the cells of one atom along the path."""
        return self._path.tasks(lattice_constant)

    def analyse(
        self,
        lattice_constant: float,  # noqa: ARG002 - the energies say it all
        evaluations: Mapping[str, Evaluation],
    ) -> PropertyResult:
        """Return the path, and BCC - FCC at constant volume."""
        return self._path.analyse(evaluations)


def _tetragonal(volume: float, c_over_a: float) -> Atoms:
    """Return the primitive body-centred tetragonal cell."""
    return replace(CRYSTALS['bcc'], c_over_a=c_over_a).atoms(volume)
