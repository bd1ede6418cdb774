"""Labels of many pw.x calculations as one shard of the dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import units

from aiida_anial.calcfunctions.structures import to_cells
from aiida_anial.common.labels import Label, assemble
from aiida_anial.data.dataset import DatasetData
from aiida_anial.protocols.settings import LabelSettings

__all__ = ('collect_labels',)


@calcfunction
def collect_labels(
    settings: orm.Dict, source: orm.Dict, failures: orm.Dict, **nodes: Any
) -> dict[str, DatasetData | orm.Dict]:
    """Return the sound labels as a dataset and the others with their reasons.

    The energy is the smeared free energy (the line that pw.x marks with ``!``): its derivatives are the forces.

    :param settings: ``LabelSettings``, for the largest force that is physical.
    :param source: ``iteration`` and ``origin`` of the cells.
    :param failures: reason by cell label, of the calculations that gave no output.
    :param nodes: namespaces by cell label: ``cells``, and ``parameters`` and ``trajectories`` as pw.x jobs give them.
    :return: ``dataset`` where there is a sound label, and ``rejected``: reason by cell label.
    """
    labels = {
        label: _label(nodes['cells'][label], nodes['parameters'][label], trajectory)
        for label, trajectory in nodes['trajectories'].items()
    }
    return collected(labels, settings, source, failures.get_dict())


def collected(
    labels: dict[str, Label], settings: orm.Dict, source: orm.Dict, failures: dict[str, str]
) -> dict[str, DatasetData | orm.Dict]:
    """Return the outputs that every labeller gives: ``dataset`` and ``rejected``."""
    dataset, rejected = assemble(
        labels,
        max_force=LabelSettings.parse(settings.get_dict()).max_force_ev_per_angstrom,
        iteration=source['iteration'],
        origin=source['origin'],
    )
    outputs: dict[str, DatasetData | orm.Dict] = {'rejected': orm.Dict(failures | rejected)}
    if dataset is not None:
        outputs['dataset'] = DatasetData(dataset)
    return outputs


def _label(cell: orm.StructureData, parameters: orm.Dict, trajectory: orm.TrajectoryData) -> Label:
    """Return the label that one pw.x calculation gives."""
    cells = to_cells({'cell': cell})
    # pw.x prints the pressure-like stress in GPa, positive in compression; ours is positive in tension.
    stress = -trajectory.get_array('stress')[-1] * units.GPa
    return Label(
        positions=cells.positions,
        lattice=cells.lattices[0],
        energy=float(parameters['energy']),
        forces=np.asarray(trajectory.get_array('forces')[-1]),
        stress=np.asarray(stress),
        uuid=parameters.creator.uuid,
    )
