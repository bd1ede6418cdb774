"""The interface of all kinds of potentials, and their file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol, Self

from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.common.tensors import TensorFile, parse_tensors, read_tensors, tensor_bytes, write_tensors
from aiida_anial.potential.settings import DEFAULT_KIND, POTENTIALS, PotentialSettings, of_kind

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
    """An ensemble of M members whose mean is the potential: it holds the parameters, and engines evaluate them.

    :cvar SETTINGS: the class of ``model``.
    :cvar ENGINES: ``module:name`` of each :class:`~aiida_anial.potential.engine.Engine`, by the value of
        ``EngineSettings.engine`` that selects it, the fastest on the CPU first. Called with the potential and the
        ``EngineSettings``.
    """

    SETTINGS: ClassVar[type[PotentialSettings]]
    ENGINES: ClassVar[Mapping[str, str]]

    @property
    def model(self) -> PotentialSettings:
        """The architecture."""
        ...

    def member(self, index: int) -> Self:
        """Return the potential that consists of member ``index`` alone.

        :raises AnialError: if there is no such member.
        """
        ...

    def to_file(self) -> TensorFile:
        """Return the content of its file, of kind ``FILE_KIND``; equal potentials give equal content.

        The metadata hold ``model`` (``model.to_dict()``), ``units``, and numbers that queries can use.
        """
        ...

    @classmethod
    def from_file(cls, content: TensorFile) -> Self:
        """Return the potential of which ``to_file`` gave ``content``.

        :raises AnialError, ArithmeticError, LookupError, TypeError, ValueError: if the numbers do not fit together.
        """
        ...


def write_potential(path: Path, potential: Potential) -> None:
    """Write ``potential`` to the file ``path``."""
    write_tensors(path, potential.to_file())


def potential_bytes(potential: Potential) -> bytes:
    """Return the bytes of the file of ``potential``; equal potentials give equal bytes."""
    return tensor_bytes(potential.to_file())


def read_potential(path: Path) -> Potential:
    """Return the potential in the file ``path``; its metadata name the kind.

    :raises FileFormatError: if the file is missing, damaged or of another kind, or its numbers do not fit together.
    """
    return _potential(read_tensors(path, kind=FILE_KIND, schema_version=SCHEMA_VERSION), str(path))


def parse_potential(data: bytes, *, source: str) -> Potential:
    """Return the potential in a file whose bytes are ``data``.

    :param source: name of the file, for messages.
    :raises FileFormatError: see ``read_potential``.
    """
    return _potential(parse_tensors(data, source=source, kind=FILE_KIND, schema_version=SCHEMA_VERSION), source)


def _potential(content: TensorFile, source: str) -> Potential:
    """Return the potential in the content of a file."""
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
