"""Random cells, each a structure of its own."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.data.structures import to_structure
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.settings import CellSettings

__all__ = ('generate_cells',)


@calcfunction
def generate_cells(settings: orm.Dict, seed: orm.Int, number: orm.Int) -> dict[str, orm.StructureData]:
    """Return random cells (Smith et al., Nat. Commun. 12, 1257 (2021), II.B.2).

    :param settings: ``CellSettings``.
    :param seed: the same seed gives the same cells on every machine.
    :param number: how many.
    :return: ``cell_0000``, ``cell_0001``, ...
    """
    cells = random_cells(CellSettings.parse(settings.get_dict()), seed=seed.value, n=number.value)
    return {f'cell_{index:04d}': to_structure(*cell) for index, cell in enumerate(cells.configurations())}
