"""What every kind of potential offers, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol, Self

from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.common.tensors import TensorFile, parse_tensors, read_tensors, tensor_bytes, write_tensors
from aiida_anial.potential.kinds import DEFAULT_KIND, POTENTIALS, of_kind
from aiida_anial.potential.settings import PotentialSettings

__all__ = (
    'FILE_KIND',
    'SCHEMA_VERSION',
    'Potential',
    'parse_potential',
    'potential_bytes',
    'read_potential',
    'write_potential',
)

FILE_KIND = 'ensemble'
SCHEMA_VERSION = 1


class Potential(Protocol):
    """The numbers of an ensemble of M members, whose mean is the potential; an engine evaluates them.

    :cvar SETTINGS: the class of ``model``.
    :cvar ENGINES: ``module:name`` of each :class:`~aiida_anial.potential.engine.Engine` by its name, that of
        ``EngineSettings.engine``, the fastest on the CPU first; called with the potential and ``EngineSettings``.
    """

    SETTINGS: ClassVar[type[PotentialSettings]]
    ENGINES: ClassVar[Mapping[str, str]]

    @property
    def model(self) -> PotentialSettings:
        """The architecture."""
        ...

    def member(self, index: int) -> Self:
        """Return the potential that is member ``index`` alone.

        :raises AnialError: if there is no such member.
        """
        ...

    def to_file(self) -> TensorFile:
        """Return the content of its file, of kind ``FILE_KIND``; the same for equal potentials.

        The metadata hold ``model``, as ``model.to_dict()`` gives it, ``units``, and numbers to query by.
        """
        ...

    @classmethod
    def from_file(cls, content: TensorFile) -> Self:
        """Return what ``to_file`` gave.

        :raises AnialError, ArithmeticError, LookupError, TypeError, ValueError: if the numbers do not fit together.
        """
        ...


def write_potential(path: Path, potential: Potential) -> None:
    """Write ``potential`` to the file ``path``."""
    write_tensors(path, potential.to_file())


def potential_bytes(potential: Potential) -> bytes:
    """Return the bytes that ``write_potential`` would write, the same for equal potentials."""
    return tensor_bytes(potential.to_file())


def read_potential(path: Path) -> Potential:
    """Return the potential in the file ``path``, of the kind that its metadata name.

    :raises FileFormatError: if the file is missing, damaged, of another kind, or its numbers do not fit together.
    """
    return _potential(read_tensors(path, kind=FILE_KIND, schema_version=SCHEMA_VERSION), str(path))


def parse_potential(data: bytes, *, source: str) -> Potential:
    """Return the potential in a file whose bytes are ``data``.

    :param source: what to call the file in messages.
    :raises FileFormatError: as ``read_potential``.
    """
    return _potential(parse_tensors(data, source=source, kind=FILE_KIND, schema_version=SCHEMA_VERSION), source)


def _potential(content: TensorFile, source: str) -> Potential:
    """Return the potential that the tensors make."""
    try:
        model = content.metadata['model']
        kind = model.get('kind', DEFAULT_KIND) if isinstance(model, Mapping) else DEFAULT_KIND
        potential: Potential = of_kind(POTENTIALS, kind).from_file(content)
    except AnialError as exception:
        raise FileFormatError(one_line(f'{source}: {exception}')) from exception
    except KeyError as exception:
        raise FileFormatError(one_line(f'{source}: not a whole ensemble, {exception} is missing.')) from exception
    except (ArithmeticError, LookupError, TypeError, ValueError) as exception:
        raise FileFormatError(one_line(f'{source}: not an ensemble ({exception}).')) from exception
    return potential
