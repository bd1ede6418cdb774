"""Labels from a file, of this package or of others, as a shard."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.common.labels import Label
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.label import shard_outputs
from aiida_anial.data.validation import CAMPAIGN_ELEMENTS
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.formats.exported import ExportedDataset

__all__ = ('import_dataset', 'labels_of_level')


@calcfunction
def import_dataset(settings: orm.Dict, file: orm.SinglefileData) -> dict[str, Any]:
    """Return the labels of one level of theory in ``file`` as a dataset, and the others with their reasons.

    :param settings: ``file_format``, ``energy_unit`` and ``trust_units`` as ``read_dataset`` takes them; ``level``: key
        of the level of theory in the file; ``level_of_theory``: what that is; ``max_force_ev_per_angstrom``.
    :return: ``dataset`` and ``labels`` by name where there is a valid label, and ``rejected``: reason by name.
    """
    values = settings.get_dict()
    with file.as_path() as path:
        dataset = read_dataset(
            path,
            file_format=values['file_format'],
            energy_unit=values['energy_unit'],
            trust_units=values['trust_units'],
            elements=CAMPAIGN_ELEMENTS,
        )
    outputs, faults = shard_outputs(
        labels_of_level(dataset, values['level']),
        max_force=values['max_force_ev_per_angstrom'],
        source={'iteration': 0, 'origin': 'imported'},
        theory=LevelOfTheory.parse(values['level_of_theory'], where='level_of_theory'),
    )
    return {**outputs, 'rejected': orm.Dict(faults)}


def labels_of_level(dataset: ExportedDataset, level: str) -> dict[str, Label]:
    """Return the labels of one level of theory, by names in the order of the file."""
    labelled = dataset.labelled
    return {
        f'label_{row:06d}': Label(
            positions=labelled.cells.one(row)[0],
            lattice=labelled.cells.lattices[row],
            species=labelled.cells.species_of(row),
            energy=float(labelled.energies[row]),
            forces=labelled.forces_of(row),
            stress=labelled.stresses[row],
            uuid=labelled.uuids[row],
        )
        for row, its_level in enumerate(dataset.levels)
        if its_level == level
    }
