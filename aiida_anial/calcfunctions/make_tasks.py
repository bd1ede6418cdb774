"""The structures of a property, for an engine that evaluates nodes."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.properties.lattice import lattice_tasks
from aiida_anial.properties.property import Task
from aiida_anial.properties.registry import make_property
from aiida_anial.properties.settings import LATTICE, BenchmarkSettings
from aiida_anial.runtime.kpoints import mesh_of

__all__ = ('make_tasks', 'mesh_name', 'tasks_of')


@calcfunction
def make_tasks(
    property: orm.Str,  # noqa: A002 - the name of the input
    settings: orm.Dict,
    kpoints_distance: orm.Float,
    lattice_constant: orm.Float | None = None,
) -> dict[str, Any]:
    """Return the structures of a property, and the meshes of k-points for them.

    All structures of a group share a mesh, in each direction the finest that one of them needs: what is compared
    closely must not jump from mesh to mesh.

    :param kpoints_distance: largest distance between k-points, in 1/angstrom.
    :param lattice_constant: in angstrom; for all but the lattice constant itself.
    :return: ``structures`` by the name of the task, and ``meshes`` by ``mesh_name``.
    """
    tasks = tasks_of(property, settings, lattice_constant)
    structures = {name: orm.StructureData(ase=task.atoms) for name, task in tasks.items()}
    numbers: dict[str, list[int]] = {}
    for name, task in tasks.items():
        mesh = mesh_of(structures[name], kpoints_distance, orm.Bool(False))
        known = numbers.setdefault(mesh_name(name, task), mesh)
        numbers[mesh_name(name, task)] = [max(pair) for pair in zip(known, mesh, strict=True)]
    meshes = {}
    for name, mesh in numbers.items():
        meshes[name] = orm.KpointsData()
        meshes[name].set_kpoints_mesh(mesh)
    return {'structures': structures, 'meshes': meshes}


def mesh_name(name: str, task: Task) -> str:
    """Return the name of the mesh of a task: that of its group, or its own."""
    return f'mesh_{task.group or name}'


def tasks_of(
    property: orm.Str,  # noqa: A002
    settings: orm.Dict,
    lattice_constant: orm.Float | None,
) -> dict[str, Task]:
    """Return the tasks of a property by name."""
    parsed = BenchmarkSettings.parse(settings.get_dict())
    if property.value == LATTICE:
        return lattice_tasks(parsed.lattice)
    assert lattice_constant is not None
    return make_property(property.value, parsed).tasks(lattice_constant.value)
