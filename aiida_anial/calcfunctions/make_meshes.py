"""K-point meshes of many cells, one node for each that differs."""

from __future__ import annotations

from aiida import orm
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

from aiida_anial.runtime.many_inputs import calcfunction_of_many

__all__ = ('make_meshes', 'mesh_name', 'mesh_of')


@calcfunction_of_many
def make_meshes(distance: orm.Float, force_parity: orm.Bool, **cells: orm.StructureData) -> dict[str, orm.KpointsData]:
    """Return the meshes that aiida-quantumespresso makes for the cells, each once.

    :param distance: largest distance between k-points, in 1/angstrom.
    :param force_parity: whether the numbers of k-points are even.
    :return: a mesh by its ``mesh_name``.
    """
    meshes: dict[str, orm.KpointsData] = {}
    for cell in cells.values():
        mesh = mesh_of(cell, distance, force_parity)
        # The lattice of one cell would be wrong for the others, and pw.x has its own.
        meshes.setdefault(_name(mesh), orm.KpointsData()).set_kpoints_mesh(mesh)
    return meshes


def mesh_name(cell: orm.StructureData, distance: orm.Float, force_parity: orm.Bool) -> str:
    """Return the name of the mesh of a cell, such as ``mesh_3_3_2``."""
    return _name(mesh_of(cell, distance, force_parity))


def mesh_of(cell: orm.StructureData, distance: orm.Float, force_parity: orm.Bool) -> list[int]:
    """Return the numbers of k-points in each direction that aiida-quantumespresso gives a cell."""
    # The function itself, without a process of its own for each cell.
    mesh: list[int] = create_kpoints_from_distance.__wrapped__(cell, distance, force_parity).get_kpoints_mesh()[0]
    return mesh


def _name(mesh: list[int]) -> str:
    return 'mesh_' + '_'.join(map(str, mesh))
