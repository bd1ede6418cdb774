"""Labels of many pw.x calculations as one shard of the dataset."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.data.label import shard_outputs
from aiida_anial.data.pw_outputs import pw_kpoints, pw_label, pw_level_of_theory
from aiida_anial.runtime.many_inputs import calcfunction_of_many

__all__ = ('collect_labels',)


@calcfunction_of_many
def collect_labels(
    settings: orm.Dict,
    source: orm.Dict,
    failures: orm.Dict,
    kpoints_distance: orm.Float | None = None,
    kpoints_density: orm.Int | None = None,
    **nodes: Any,
) -> dict[str, Any]:
    """Return the valid labels as a dataset and the others with their reasons.

    :param settings: ``LabelSettings``, for the largest force that is physical.
    :param source: ``iteration`` and ``origin`` of the cells.
    :param failures: reason by cell label, of the calculations that gave no output.
    :param kpoints_distance: in 1/angstrom, where the meshes were chosen by it.
    :param kpoints_density: k-points per reciprocal atom, where the meshes were chosen by it.
    :param nodes: namespaces by cell label: ``cells``, and ``parameters`` and ``trajectories`` as pw.x jobs give them.
    :return: ``dataset`` and ``labels`` by cell label where there is a valid label, and ``rejected``: reason by cell
        label.
    """
    parameters = nodes.get('parameters', {})
    outputs: dict[str, Any] = {}
    faults: dict[str, str] = {}
    if parameters:
        outputs, faults = shard_outputs(
            {
                name: pw_label(nodes['cells'][name], parameters[name], trajectory)
                for name, trajectory in nodes['trajectories'].items()
            },
            max_force=LabelSettings.parse(settings.get_dict()).max_force_ev_per_angstrom,
            source=source.get_dict(),
            theory=pw_level_of_theory(
                next(iter(parameters.values())),
                kpoints_distance=kpoints_distance.value if kpoints_distance is not None else None,
                kpoints_density=kpoints_density.value if kpoints_density is not None else None,
            ),
            kpoints={name: mesh for name, node in parameters.items() if (mesh := pw_kpoints(node))},
        )
    return {**outputs, 'rejected': orm.Dict(failures.get_dict() | faults)}
