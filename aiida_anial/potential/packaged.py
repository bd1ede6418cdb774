"""The potentials that come with the package, in ``aiida_anial/potentials``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.settings import EngineSettings

__all__ = ('find', 'load', 'names', 'path_of')

_FOLDER: Final = Path(__file__).parents[1] / 'potentials'
_FILE: Final = 'ensemble.safetensors'


def names() -> tuple[str, ...]:
    """Return the names of the potentials."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob(f'*/{_FILE}')))


def path_of(name: str) -> Path:
    """Return the file of a potential; labels, data card and figures are in the same folder.

    :raises AnialError: if there is no potential of this name.
    """
    if name not in names():
        raise AnialError(f'name: there is no potential {name!r}; the package has {", ".join(names())}.')
    return _FOLDER / name / _FILE


def find(identifier: str) -> Path | None:
    """Return the path of the file or folder ``identifier``, of the potential of this name, or None if there is neither.

    A file comes before a potential of the same name.
    """
    # The path of an empty text is the current folder.
    if identifier and Path(identifier).exists():
        return Path(identifier)
    return path_of(identifier) if identifier in names() else None


def load(name: str, *, settings: EngineSettings | None = None) -> AnialCalculator:
    """Return the ASE calculator of a potential.

    :param settings: settings of the engine; by default, double precision on the CPU.
    :raises AnialError: if there is no potential of this name.
    """
    return AnialCalculator(path_of(name), settings=settings)
