"""An ensemble as a plugin of LAMMPS."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import exported_folder
from aiida_anial.interfaces.lammps import write_lammps

__all__ = ('export_lammps',)


@calcfunction
def export_lammps(settings: orm.Dict, ensemble: EnsembleData) -> orm.FolderData:
    """Return the folder from which the plugin is built; see ``write_lammps``.

    :param settings: ``dtype``, ``processor`` and, for one member alone, ``member``.
    :return: the folder, the SHA-256 of each file among the attributes.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / 'lammps'
        write_lammps(folder, ensemble.ensemble, **settings.get_dict())
        return exported_folder(folder, file_format='lammps')
