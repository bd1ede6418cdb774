"""K-point meshes of many cells, one node for each that differs."""

from __future__ import annotations

from aiida import orm

from aiida_anial.runtime.kpoints import mesh_of
from aiida_anial.runtime.many_inputs import calcfunction_of_many

__all__ = ('make_meshes', 'mesh_name')


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


def _name(mesh: list[int]) -> str:
    return 'mesh_' + '_'.join(map(str, mesh))
