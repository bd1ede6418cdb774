"""A property of a potential: its tasks, the evaluations of those, and the quantities that follow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

__all__ = ('Evaluation', 'Property', 'PropertyResult', 'Quantity', 'Relaxation', 'Task')


class Relaxation(StrEnum):
    """What may move before energy, forces and stress are taken."""

    NONE = 'none'
    POSITIONS = 'positions'
    NORMAL = 'normal'
    """The positions along z alone, as the layers of a generalised stacking fault do."""
    SHAPE = 'shape'
    """The shape of the cell at constant volume, and the positions: c/a."""


@dataclass(frozen=True, eq=False)
class Task:
    """One structure to evaluate.

    :param atoms: aluminium in a cell that is periodic in all directions; a surface has its vacuum in it.
    :param relaxation: what may move first.
    :param group: tasks of one group are compared with each other closely, and DFT uses one mesh of k-points for all.
    """

    atoms: Atoms
    relaxation: Relaxation = Relaxation.NONE
    group: str = ''


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an engine says about one task.

    :param atoms: as the relaxation left them, without calculator.
    :param energy: total energy in eV.
    :param forces: ``[n, 3]`` in eV/angstrom.
    :param stress: ``[3, 3]`` in eV/angstrom^3, positive in tension.
    :param member_energies: ``[M]`` total energies by each member of an ensemble for the same atoms, eV; None for what
        is no ensemble.
    :param converged: whether the relaxation ended below its tolerance; true where nothing was relaxed.
    """

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    member_energies: NDArray[np.float64] | None = None
    converged: bool = True

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / len(self.atoms)

    @property
    def volume_per_atom(self) -> float:
        """Volume in angstrom^3/atom."""
        return float(self.atoms.cell.volume) / len(self.atoms)


@dataclass(frozen=True)
class Quantity:
    """A value that a property has.

    :param value: in ``unit``.
    :param unit: such as ``GPa``, ``angstrom``, ``meV``, ``meV/atom`` or ``mJ/m2``; ``1`` where there is none.
    :param uncertainty: one standard deviation in ``unit``, over the members of an ensemble or of a fit; None where
        neither says anything.
    """

    value: float
    unit: str
    uncertainty: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return ``{value, unit, uncertainty}``, what is not finite as None."""
        uncertainty = self.uncertainty
        return {
            'value': self.value if math.isfinite(self.value) else None,
            'unit': self.unit,
            'uncertainty': uncertainty if uncertainty is not None and math.isfinite(uncertainty) else None,
        }

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Return the quantity that ``to_dict`` wrote."""
        value = content['value']
        return cls(math.nan if value is None else float(value), str(content['unit']), content.get('uncertainty'))


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
