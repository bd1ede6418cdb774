"""Labels from calculations by pw.x that no campaign made."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.data.label import shard_outputs
from aiida_anial.data.pw_outputs import pw_kpoints, pw_label, pw_level_of_theory

__all__ = ('import_calculations',)


@calcfunction
def import_calculations(settings: orm.Dict, **nodes: Any) -> dict[str, Any]:
    """Return the labels that finished calculations of one level of theory give as a dataset.

    :param settings: ``max_force_ev_per_angstrom``; ``kpoints_distance`` or ``kpoints_density`` if the meshes follow
        such a rule, see ``pw_level_of_theory``.
    :param nodes: namespaces by name: ``cells``, ``parameters`` and ``trajectories``, as pw.x jobs take and give them.
    :return: ``dataset`` and ``labels`` by name where there is a valid label, and ``rejected``: reason by name.
    """
    parameters, values = nodes['parameters'], settings.get_dict()
    rule = {name: values[name] for name in ('kpoints_distance', 'kpoints_density') if name in values}
    outputs, faults = shard_outputs(
        {name: pw_label(nodes['cells'][name], node, nodes['trajectories'][name]) for name, node in parameters.items()},
        max_force=values['max_force_ev_per_angstrom'],
        source={'iteration': 0, 'origin': 'imported'},
        theory=pw_level_of_theory(next(iter(parameters.values())), **rule),
        kpoints={name: mesh for name, node in parameters.items() if (mesh := pw_kpoints(node))},
    )
    return {**outputs, 'rejected': orm.Dict(faults)}
