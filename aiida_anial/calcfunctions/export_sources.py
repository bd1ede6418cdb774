"""An ensemble as sources from which it is built into another program."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import exported_folder
from aiida_anial.formats.files import check_name
from aiida_anial.interfaces.folder import write_folder

__all__ = ('export_sources',)


@calcfunction
def export_sources(settings: orm.Dict, ensemble: EnsembleData) -> orm.FolderData:
    """Return the folder that ``write_folder`` writes for ``ensemble``.

    :param settings: ``filename`` of the folder, ``program``, ``dtype``, ``processor`` and, for one member alone,
        ``member``.
    :return: the folder, the SHA-256 of each file among the attributes.
    """
    options = settings.get_dict()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / check_name(options.pop('filename'))
        write_folder(folder, ensemble.ensemble, **options)
        return exported_folder(folder, file_format=options['program'])
