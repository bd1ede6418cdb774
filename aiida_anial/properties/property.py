"""What every property is: structures to evaluate, and an analysis of what an engine says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_anial.properties.quantity import Quantity
from aiida_anial.properties.task import Evaluation, Task

__all__ = ('Property', 'PropertyResult')


@dataclass(frozen=True, eq=False)
class PropertyResult:
    """What was found.

    :param quantities: numbers by name; one that cannot be determined is left out, and ``notes`` says why.
    :param curves: arrays by name; names end in the unit, and arrays that belong to one curve begin alike.
    :param notes: sentences that whoever reads the numbers has to know.
    """

    quantities: Mapping[str, Quantity]
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Property(Protocol):
    """A property of FCC aluminium or of its competitors.

    Both methods are functions of the settings, the lattice constant and the evaluations alone, so that they can run on
    different machines, days apart, with DFT in between.
    """

    def tasks(self, lattice_constant: float) -> dict[str, Task]:
        """Return the structures to evaluate, by name.

        :param lattice_constant: of FCC by the same engine, in angstrom.
        """
        ...

    def analyse(self, lattice_constant: float, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return what follows from the evaluations of all tasks.

        :raises AnialError: if nothing follows, in one sentence.
        """
        ...
