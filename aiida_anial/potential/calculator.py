"""A potential as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.geometry import complete_cell
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.potential.engine import Engine, make_engine
from aiida_anial.potential.potential import Potential, read_potential
from aiida_anial.potential.settings import EngineSettings

__all__ = ('AnialCalculator',)


class AnialCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a potential, which is the mean of its members, and their disagreement.

    Beyond ASE's properties, ``calculator.results`` holds ``member_energies`` (``[M]``, eV), ``energy_disagreement``
    (eV, see :attr:`Prediction.energy_disagreement`) and, if requested by ``calculator.get_property``,
    ``force_disagreement`` (``[n]``, eV/angstrom) and ``member_stresses`` (``[M, 3, 3]``, eV/angstrom^3, which takes as
    long as M evaluations). Directions that are not periodic get a vacuum wider than the cutoff.

    :param potential: the potential, or the path of its file.
    :param settings: settings of the engine; by default, double precision on the CPU.
    """

    implemented_properties: ClassVar[list[str]] = [
        'energy',
        'free_energy',
        'forces',
        'stress',
        'member_energies',
        'energy_disagreement',
        'force_disagreement',
        'member_stresses',
    ]

    def __init__(
        self, potential: Potential | Path | str, *, settings: EngineSettings | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.potential = read_potential(Path(potential)) if isinstance(potential, Path | str) else potential
        self._settings = settings or EngineSettings(dtype='float64')
        self._engine = make_engine(self.potential, self._settings)

    def in_single_precision(self) -> Self:
        """Return a calculator for dynamics, which takes half the time."""
        return type(self)(self.potential, settings=self._settings.model_copy(update={'dtype': 'float32'}))

    @cached_property
    def _members(self) -> list[Engine]:
        """Engines of the members alone."""
        members = [self.potential.member(index) for index in range(self.potential.model.n_members)]
        return [make_engine(member, self._settings) for member in members]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ('energy',),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results``; ASE calls this.

        :raises AnialError: if ``atoms`` holds other elements than that of the potential.
        """
        super().calculate(atoms, properties, system_changes)
        model = self.potential.model
        others = set(self.atoms.get_chemical_symbols()) - {model.element}
        if others:
            raise AnialError(f'the potential describes {model.element}, not {", ".join(sorted(others))}.')
        periodic = bool(self.atoms.pbc.all())
        if {'stress', 'member_stresses'} & set(properties) and not periodic:
            raise PropertyNotImplementedError('the stress is not defined: a direction is not periodic.')
        lattice = _periodic_lattice(self.atoms, model.cutoff_angstrom)
        cells = Cells.from_lists([self.atoms.positions], [lattice], species=[self.atoms.numbers])
        prediction = self._engine.evaluate(cells, stress=periodic, member_forces='force_disagreement' in properties)
        energy = float(prediction.energies[0])
        self.results = {
            'energy': energy,
            'free_energy': energy,
            'forces': prediction.forces,
            'member_energies': prediction.member_energies[:, 0],
            'energy_disagreement': float(prediction.energy_disagreement[0]),
        }
        if prediction.stresses is not None:
            self.results['stress'] = prediction.stresses[0][(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
        if prediction.member_forces is not None:
            self.results['force_disagreement'] = prediction.force_disagreement
        if 'member_stresses' in properties:
            alone = [engine.evaluate(cells, stress=True).stresses for engine in self._members]
            self.results['member_stresses'] = np.concatenate([one for one in alone if one is not None])


def _periodic_lattice(atoms: Atoms, cutoff: float) -> NDArray[np.float64]:
    """Return lattice vectors ``[3, 3]`` in angstrom; those that are not periodic keep images beyond the cutoff."""
    lattice = np.asarray(atoms.cell[:], dtype=np.float64).copy()
    lattice[~atoms.pbc] = 0.0
    lattice = np.asarray(complete_cell(lattice), dtype=np.float64)
    for axis in np.flatnonzero(~atoms.pbc):
        # complete_cell has replaced missing vectors by unit vectors orthogonal to all others.
        along = atoms.positions @ lattice[axis]
        lattice[axis] *= np.ptp(along) + cutoff + 1.0
    return lattice
