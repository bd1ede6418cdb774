"""Potentials in the formats of other programs: ``write_ensemble``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.files import new_folder, replaced
from aiida_anial.potential.neurochem import write_neurochem
from aiida_anial.potential.potential import Potential, write_potential

__all__ = ('ENSEMBLE_FORMATS', 'EnsembleFormat', 'write_ensemble')


@dataclass(frozen=True)
class EnsembleFormat:
    """A file format of potentials.

    :param suffix: usual suffix of file names.
    :param write: writes a potential to a path.
    :param kind: kind of potentials that the format can hold; None means any.
    :param is_folder: whether the format is a folder of files.
    :param extra: extra of this package that has to be installed; None means that nothing has.
    """

    suffix: str
    write: Callable[[Path, Any], None]
    kind: str | None = 'ani'
    is_folder: bool = False
    extra: str | None = None


def write_ensemble(path: Path, ensemble: Potential, *, file_format: str) -> None:
    """Write ``ensemble`` to the file or folder ``path``; the same potential gives the same bytes.

    :param file_format: one of ``ENSEMBLE_FORMATS``.
    :raises AnialError: if the format is unknown or cannot hold such a potential, the folder exists already, or the
        files cannot be written.
    """
    if file_format not in ENSEMBLE_FORMATS:
        raise AnialError(f'format: {file_format!r} is not one of {", ".join(ENSEMBLE_FORMATS)}.')
    chosen = ENSEMBLE_FORMATS[file_format]
    if chosen.kind not in (None, ensemble.model.kind):
        raise AnialError(
            f'format: {file_format} holds potentials of kind {chosen.kind!r}, not {ensemble.model.kind!r}.'
        )
    with (new_folder if chosen.is_folder else replaced)(path) as temporary:
        chosen.write(temporary, ensemble)


def _write_torchani(path: Path, ensemble: Any) -> None:
    # Imported only here, because loading torch takes seconds.
    from aiida_anial.formats.torch_models import write_torchani_state

    write_torchani_state(path, ensemble)


def _write_torchscript(path: Path, ensemble: Any) -> None:
    from aiida_anial.formats.torch_models import write_torchscript

    write_torchscript(path, ensemble)


def _write_metatomic(path: Path, ensemble: Any) -> None:
    try:
        from aiida_anial.formats.metatomic import write_metatomic
    except ModuleNotFoundError as exception:
        raise AnialError(
            f"format: metatomic needs the package {exception.name}: pip install 'aiida-anial[metatomic]'."
        ) from exception
    write_metatomic(path, ensemble)


ENSEMBLE_FORMATS = {
    'safetensors': EnsembleFormat('.safetensors', write_potential, kind=None),
    'neurochem': EnsembleFormat('', write_neurochem, is_folder=True),
    'torchani': EnsembleFormat('.torchani.safetensors', _write_torchani),
    'torchscript': EnsembleFormat('.pt', _write_torchscript),
    'metatomic': EnsembleFormat('.metatomic.pt', _write_metatomic, extra='metatomic'),
}
