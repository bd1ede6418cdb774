"""An ensemble as a file or a folder in a common format."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import exported_file, exported_folder
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, write_ensemble
from aiida_anial.formats.files import check_name

__all__ = ('export_ensemble',)


@calcfunction
def export_ensemble(settings: orm.Dict, ensemble: EnsembleData) -> orm.SinglefileData | orm.FolderData:
    """Return the networks of ``ensemble`` in another format.

    :param settings: ``file_format`` and ``filename``.
    :return: the file, or the folder for NeuroChem, the SHA-256 of each file among the attributes.
    """
    file_format, name = settings['file_format'], settings['filename']
    with TemporaryDirectory() as folder:
        path = Path(folder) / check_name(name)
        write_ensemble(path, ensemble.ensemble, file_format=file_format)
        if ENSEMBLE_FORMATS[file_format].is_folder:
            return exported_folder(path, file_format=file_format)
        return exported_file(path, file_format=file_format)
