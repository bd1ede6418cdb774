"""Forces on atoms in a wave, by the potential and by DFT."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.common.labels import content_hash
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.structures import to_cells
from aiida_anial.shock.surroundings import Surrounding, errors_by_radius

__all__ = ('compare_surroundings',)


@calcfunction
def compare_surroundings(surroundings: orm.Dict, dataset: DatasetData, **cells: Any) -> orm.Dict:
    """Return the errors of forces by radius, and each force.

    :param surroundings: as ``cut_surroundings`` gives them.
    :param dataset: their labels, of which some may be missing.
    :param cells: what was labelled, by name.
    :return: ``by_radius``, and ``labels``: force by DFT on the atom in the middle, eV/angstrom, by name.
    """
    labelled = dataset.labelled
    forces = {digest: labelled.forces_of(index)[0] for index, digest in enumerate(labelled.hashes())}
    names = {name: _digest(cell) for name, cell in cells['cells'].items()}
    labels = {name: forces[digest] for name, digest in names.items() if digest in forces}
    ones = [Surrounding.parse(values) for values in surroundings.get_dict().values()]
    return orm.Dict(
        {
            'by_radius': errors_by_radius(ones, labels),
            'labels': {name: force.tolist() for name, force in labels.items()},
        }
    )


def _digest(cell: orm.StructureData) -> str:
    """Return the hash by which a dataset identifies a cell."""
    (configuration,) = to_cells({'cell': cell}).configurations()
    return content_hash(*configuration)
