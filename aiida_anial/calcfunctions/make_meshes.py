"""K-point meshes of many cells, one node for each that differs."""

from __future__ import annotations

import numpy as np
from aiida import orm

from aiida_anial.common.kpoints import label_mesh
from aiida_anial.runtime.kpoints import mesh_of
from aiida_anial.runtime.many_inputs import calcfunction_of_many

__all__ = ('make_meshes', 'mesh_for', 'mesh_name')


@calcfunction_of_many
def make_meshes(
    distance: orm.Float | None = None,
    force_parity: orm.Bool | None = None,
    density: orm.Int | None = None,
    **cells: orm.StructureData,
) -> dict[str, orm.KpointsData]:
    """Return the meshes of the cells, each once.

    :param distance: largest distance between k-points, in 1/angstrom: the meshes are those of aiida-quantumespresso.
    :param force_parity: whether the numbers of k-points are even then.
    :param density: instead, k-points per reciprocal atom.
    :return: a mesh by its ``mesh_name``.
    """
    meshes: dict[str, orm.KpointsData] = {}
    for cell in cells.values():
        mesh = mesh_for(cell, distance, force_parity, density)
        # The lattice of one cell would be wrong for the others, and pw.x has its own.
        meshes.setdefault(_name(mesh), orm.KpointsData()).set_kpoints_mesh(mesh)
    return meshes


def mesh_name(
    cell: orm.StructureData,
    distance: orm.Float | None = None,
    force_parity: orm.Bool | None = None,
    density: orm.Int | None = None,
) -> str:
    """Return the name of the mesh of a cell, such as ``mesh_3_3_2``."""
    return _name(mesh_for(cell, distance, force_parity, density))


def mesh_for(
    cell: orm.StructureData, distance: orm.Float | None, force_parity: orm.Bool | None, density: orm.Int | None
) -> list[int]:
    """Return the numbers of k-points of a cell in each direction; the arguments are those of ``make_meshes``."""
    if density is not None:
        return list(label_mesh(np.array(cell.cell), len(cell.sites), density.value))
    if distance is None:
        raise ValueError('neither a distance nor a density of k-points is given')
    return mesh_of(cell, distance, force_parity if force_parity is not None else orm.Bool(False))


def _name(mesh: list[int]) -> str:
    return 'mesh_' + '_'.join(map(str, mesh))
