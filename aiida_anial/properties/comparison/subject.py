"""What a benchmark compares: the potentials and DFT, and the results of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import PROPERTIES

__all__ = ('DFT', 'DFT_KIND', 'MAIN', 'Subject', 'property_names')

MAIN: Final = 'ensemble'
"""The ensemble that is benchmarked."""

DFT: Final = 'qe'
"""DFT, whose results the others are compared with."""


DFT_KIND = 'dft'
"""The kind of a subject that the others are measured by."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A potential that was benchmarked, or DFT.

    :param name: for tables and legends, such as ``qe`` or ``Al_mm.eam.fs``.
    :param kind: ``ensemble``, ``eam``, ``emt`` or ``dft``.
    :param results: by property.
    """

    name: str
    kind: str
    results: Mapping[str, PropertyResult]

    def result(self, name: str) -> PropertyResult:
        """Return what was found for a property: nothing where it was not computed."""
        return self.results.get(name, PropertyResult({}))


def property_names(subjects: Iterable[Subject]) -> list[str]:
    """Return the properties that any of the subjects has, in the order of the benchmark, unknown ones last."""
    found = dict.fromkeys(name for subject in subjects for name in subject.results)
    known = [name for name in PROPERTIES if name in found]
    return [*known, *(name for name in found if name not in known)]
