"""The k-point mesh of a cell, without a process for each cell.

:hook: ``create_kpoints_from_distance.__wrapped__`` of aiida-quantumespresso
:changes: The function under the calcfunction is called within a calcfunction of this package.
:why: ``PwBaseWorkChain`` makes a process and a node for each cell, although most cells share a few meshes.
:upstream: none found
:until: aiida-quantumespresso offers the rule as a plain function.
"""

from __future__ import annotations

from aiida import orm
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

__all__ = ('mesh_of',)


def mesh_of(cell: orm.StructureData, distance: orm.Float, force_parity: orm.Bool) -> list[int]:
    """Return the numbers of k-points in each direction that aiida-quantumespresso gives a cell.

    :param distance: largest distance between k-points, in 1/angstrom.
    :param force_parity: whether the numbers are even.
    """
    mesh: list[int] = create_kpoints_from_distance.__wrapped__(cell, distance, force_parity).get_kpoints_mesh()[0]
    return mesh
