"""From finished calculations by pw.x to a property."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import units

from aiida_anial.common.errors import AnialError
from aiida_anial.properties.lattice import analyse_lattice, fitted_lattice_constant
from aiida_anial.properties.property import Evaluation, PropertyResult
from aiida_anial.properties.registry import make_property
from aiida_anial.properties.settings import LATTICE, BenchmarkSettings

__all__ = ('analyse_property',)


@calcfunction
def analyse_property(
    property: orm.Str,  # noqa: A002 - the name of the input
    settings: orm.Dict,
    lattice_constant: orm.Float | None = None,
    **nodes: Any,
) -> dict[str, Any]:
    """Return the quantities and curves that follow from calculations.

    The lattice constant is the minimum of the Birch-Murnaghan fit: with a finite basis the pressure does not vanish
    where the energy is lowest.

    :param lattice_constant: in angstrom; for all but the lattice constant itself.
    :param nodes: namespaces by the name of the task: ``structures`` as they were evaluated, and ``parameters`` and
        ``trajectories`` as pw.x jobs give them.
    :return: ``quantities``, ``curves``, and ``lattice_constant`` where that is the property.
    :raises AnialError: if nothing follows.
    """
    evaluations = {
        name: _evaluation(structure, nodes['parameters'][name], nodes['trajectories'][name])
        for name, structure in nodes['structures'].items()
    }
    parsed = BenchmarkSettings.parse(settings.get_dict())
    if property.value == LATTICE:
        fitted = fitted_lattice_constant(evaluations)
        return {**_outputs(LATTICE, analyse_lattice(fitted, evaluations)), 'lattice_constant': orm.Float(fitted)}
    if lattice_constant is None:
        raise AnialError('lattice_constant: this property starts from it.')
    result = make_property(property.value, parsed).analyse(lattice_constant.value, evaluations)
    return _outputs(property.value, result)


def _evaluation(structure: orm.StructureData, parameters: orm.Dict, trajectory: orm.TrajectoryData) -> Evaluation:
    """Return what one calculation says; energy and stress as for labels."""
    return Evaluation(
        structure.get_ase(),
        float(parameters['energy']),
        np.asarray(trajectory.get_array('forces')[-1]),
        np.asarray(-trajectory.get_array('stress')[-1] * units.GPa),
    )


def _outputs(name: str, result: PropertyResult) -> dict[str, Any]:
    """Return the nodes of a result, as a ``PropertyCalculation`` gives them."""
    quantities = {key: quantity.to_dict() for key, quantity in result.quantities.items()}
    curves = orm.ArrayData()
    for key, array in result.curves.items():
        curves.set_array(key, np.asarray(array, dtype=np.float64))
    content = {'property': name, 'quantities': quantities, 'notes': list(result.notes)}
    return {'quantities': orm.Dict(content), 'curves': curves}
