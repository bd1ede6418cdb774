"""A property from finished calculations by pw.x."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import units

from aiida_anial.calcfunctions.make_tasks import property_of
from aiida_anial.properties.evaluation import Evaluation
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import provided, required

__all__ = ('analyse_property',)


@calcfunction
def analyse_property(
    property: orm.Str,  # noqa: A002 - the name of the input
    settings: orm.Dict,
    **nodes: Any,
) -> dict[str, Any]:
    """Return the quantities and curves that follow from calculations.

    :param nodes: namespaces by the name of the task: ``structures`` as they were evaluated, and ``parameters`` and
        ``trajectories`` as pw.x jobs give them; and numbers that the property starts from, such as
        ``lattice_constant`` in angstrom.
    :return: ``quantities``, ``curves``, and the numbers that other properties start from.
    :raises AnialError: if the calculations do not determine the property.
    """
    evaluations = {
        name: _evaluation(structure, nodes['parameters'][name], nodes['trajectories'][name])
        for name, structure in nodes['structures'].items()
    }
    one = property_of(property, settings)
    result = one.analyse({key: nodes[key].value for key in required(one.name)}, evaluations)
    numbers = {column.provides: orm.Float(result.quantities[column.quantity].value) for column in provided(one.name)}
    return {**_outputs(one.name, result), **numbers}


def _evaluation(structure: orm.StructureData, parameters: orm.Dict, trajectory: orm.TrajectoryData) -> Evaluation:
    """Return the results of one calculation, in the units and with the signs of labels."""
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
