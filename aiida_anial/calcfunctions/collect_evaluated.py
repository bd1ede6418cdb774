"""Labels of an evaluation job as one shard of the dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.common.labels import Label
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.label import shard_outputs
from aiida_anial.data.structures import to_cells

__all__ = ('collect_evaluated', 'level_of_theory')


@calcfunction
def collect_evaluated(
    settings: orm.Dict, source: orm.Dict, labels: orm.ArrayData, failures: orm.Dict, **nodes: Any
) -> dict[str, Any]:
    """Return the valid labels as a dataset and the others with their reasons.

    :param settings: ``LabelSettings``, for the largest force that is physical.
    :param source: ``iteration`` and ``origin`` of the cells.
    :param labels: ``energies`` [C], ``forces`` [N, 3] and ``stresses`` [C, 3, 3] of all cells, in eV and angstrom.
    :param failures: reason by cell label, of the cells that could not be evaluated.
    :param nodes: the namespace ``cells``.
    :return: ``dataset`` and ``labels`` by cell label where there is a valid label, and ``rejected``: reason by cell
        label.
    """
    cells = to_cells(nodes['cells'])
    inputs: Any = labels.creator.inputs
    files = {name: inputs[name] for name in ('potential', 'ensemble') if name in inputs}
    energies, forces, stresses = (labels.get_array(name) for name in ('energies', 'forces', 'stresses'))
    sound = {
        name: Label(
            positions=cells.one(index)[0],
            lattice=cells.lattices[index],
            species=cells.species_of(index),
            energy=float(energies[index]),
            forces=forces[cells.offsets[index] : cells.offsets[index + 1]],
            stress=stresses[index],
            uuid=labels.creator.uuid,
        )
        for index, name in enumerate(sorted(nodes['cells']))
        if name not in failures
    }
    outputs, faults = shard_outputs(
        sound,
        max_force=LabelSettings.parse(settings.get_dict()).max_force_ev_per_angstrom,
        source=source.get_dict(),
        theory=level_of_theory(inputs.labeller.get_dict(), **files),
    )
    return {**outputs, 'rejected': orm.Dict(failures.get_dict() | faults)}


def level_of_theory(
    source: Mapping[str, Any], potential: orm.SinglefileData | None = None, ensemble: EnsembleData | None = None
) -> LevelOfTheory:
    """Return what a potential computes with.

    :param source: the ``PotentialSource``, as plain values.
    :param potential: its EAM file, or
    :param ensemble: its networks.
    """
    checksum = None
    if potential is not None:
        checksum = hashlib.sha256(potential.get_content(mode='rb')).hexdigest()
    elif ensemble is not None:
        checksum = ensemble.base.attributes.get('sha256', None)
    calculator = source.get('calculator')
    if calculator is None:
        return LevelOfTheory(code=source['kind'], potential_sha256=checksum)
    arguments = json.dumps(calculator['arguments'], sort_keys=True).encode()
    name = f'{calculator["module"]}.{calculator["class"]}'
    return LevelOfTheory(code=name, potential_sha256=hashlib.sha256(arguments).hexdigest())
