"""Literature values, from ``references.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, Self

import yaml
from pydantic import model_validator

from aiida_anial.common.errors import FileFormatError, SettingsError
from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings

__all__ = ('Kind', 'Reference', 'all_references', 'parse_references', 'references')

Kind = Literal['experiment', 'dft', 'ani_al', 'eam']

_FILE = 'references.yaml'


@dataclass(frozen=True)
class Reference:
    """A literature value.

    :param property_name: name of the property, such as ``elastic``.
    :param quantity: name of the quantity of that property.
    :param source: key of the source; a source has one value for a quantity.
    :param label: label of the source in tables and legends.
    :param kind: kind of the source.
    :param value: value with its unit and, if known, its uncertainty.
    :param citation: publication.
    """

    property_name: str
    quantity: str
    source: str
    label: str
    kind: Kind
    value: Quantity
    citation: str


class _Source(Settings):
    """A source of values, with the citation of those that have none of their own."""

    label: str
    kind: Kind
    citation: str


class _Entry(Settings):
    """One value in the file."""

    property: str
    quantity: str
    source: str
    value: float
    unit: str
    uncertainty: Positive | None = None
    citation: str | None = None


class _Content(Settings):
    """The content of the file."""

    citations: dict[str, str]
    sources: dict[str, _Source]
    references: tuple[_Entry, ...]

    @model_validator(mode='after')
    def _check_keys(self) -> Self:
        for key, source in self.sources.items():
            _check_known(f'sources.{key}.citation', source.citation, self.citations)
        taken = set()
        for index, entry in enumerate(self.references):
            where = f'references.{index}'
            _check_known(f'{where}.source', entry.source, self.sources)
            if entry.citation is not None:
                _check_known(f'{where}.citation', entry.citation, self.citations)
            name = (entry.property, entry.quantity, entry.source)
            if name in taken:
                raise ValueError(f'{where}.source: {entry.source} has {entry.property}.{entry.quantity} twice')
            taken.add(name)
        return self


def _check_known(where: str, key: str, known: dict[str, str] | dict[str, _Source]) -> None:
    if key not in known:
        raise ValueError(f'{where}: there is no {key!r}; known are {", ".join(known)}')


@cache
def all_references() -> tuple[Reference, ...]:
    """Return the values in the file of the package, in its order."""
    return parse_references((files(__package__) / _FILE).read_text(encoding='utf-8'), source=_FILE)


def references(property_name: str, quantity: str) -> tuple[Reference, ...]:
    """Return the values of a quantity; there may be none."""
    return tuple(one for one in all_references() if (one.property_name, one.quantity) == (property_name, quantity))


def parse_references(text: str, *, source: str) -> tuple[Reference, ...]:
    """Return the values in a file.

    :param text: content of the file, YAML.
    :param source: name of the file, for messages.
    :raises FileFormatError: one sentence that names the file and the key, about the first error.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as exception:
        raise FileFormatError(f'{source}: not YAML ({" ".join(str(exception).split())}).') from exception
    if not isinstance(content, dict):
        raise FileFormatError(f'{source}: is not a mapping with citations, sources and references.')
    try:
        return tuple(_resolved(_Content.parse(content)))
    except SettingsError as exception:
        raise FileFormatError(f'{source}: {exception}') from exception


def _resolved(content: _Content) -> Iterator[Reference]:
    """Yield the values, with their sources and citations looked up."""
    for entry in content.references:
        source = content.sources[entry.source]
        yield Reference(
            property_name=entry.property,
            quantity=entry.quantity,
            source=entry.source,
            label=source.label,
            kind=source.kind,
            value=Quantity(entry.value, entry.unit, entry.uncertainty),
            citation=content.citations[entry.citation or source.citation],
        )
