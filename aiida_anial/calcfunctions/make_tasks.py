"""The structures that DFT has to evaluate for a property, and their k-point meshes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.properties.evaluation import Task
from aiida_anial.properties.property import Property
from aiida_anial.properties.registry import PROPERTIES, BenchmarkSettings, required
from aiida_anial.runtime.kpoints import mesh_of

__all__ = ('make_tasks', 'mesh_name', 'property_of', 'tasks_of')


@calcfunction
def make_tasks(
    property: orm.Str,  # noqa: A002 - the name of the input
    settings: orm.Dict,
    kpoints_distance: orm.Float,
    **requirements: Any,
) -> dict[str, Any]:
    """Return the structures of a property, and the meshes of k-points for them.

    All structures of a group share a mesh, in each direction the finest that one of them needs: energies that are
    compared must not jump with the mesh.

    :param kpoints_distance: largest distance between k-points, in 1/angstrom.
    :param requirements: numbers that the property starts from, such as ``lattice_constant`` in angstrom.
    :return: ``structures`` by the name of the task, and ``meshes`` by ``mesh_name``.
    """
    tasks = tasks_of(property, settings, requirements)
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
    requirements: Mapping[str, orm.Float],
) -> dict[str, Task]:
    """Return the tasks of a property by name."""
    one = property_of(property, settings)
    return one.tasks({key: requirements[key].value for key in required(one.name)})


def property_of(property: orm.Str, settings: orm.Dict) -> Property[Any]:  # noqa: A002
    """Return a property with its settings."""
    name = property.value
    return PROPERTIES[name](getattr(BenchmarkSettings.parse(settings.get_dict()), name))
