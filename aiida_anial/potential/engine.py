"""Engines evaluate potentials: their interface, their result, and the choice of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings, loaded

__all__ = ('Engine', 'Prediction', 'make_engine', 'mean_over_members')


@dataclass(frozen=True, eq=False)
class Prediction:
    """Energies, forces and stresses of C cells with N atoms in all, predicted by M members.

    :param n_atoms: ``[C]`` number of atoms in each cell.
    :param energies: ``[C]`` total energies, mean over the members, eV.
    :param member_energies: ``[M, C]`` total energies by each member, eV.
    :param forces: ``[N, 3]`` minus the gradient of the mean energy, eV/angstrom, if requested.
    :param stresses: ``[C, 3, 3]`` dE/dstrain / volume of the mean energy, eV/angstrom^3, positive in tension, if
        requested.
    :param member_forces: ``[M, N, 3]`` forces by each member, eV/angstrom, if requested.
    """

    n_atoms: NDArray[np.int64]
    energies: NDArray[np.float64]
    member_energies: NDArray[np.float64]
    forces: NDArray[np.float64] | None = None
    stresses: NDArray[np.float64] | None = None
    member_forces: NDArray[np.float64] | None = None

    @property
    def energy_disagreement(self) -> NDArray[np.float64]:
        """``[C]`` standard deviation of the members' energies, divided by the square root of the number of atoms, eV.

        The measure of ANI (Smith et al., J. Chem. Phys. 148, 241733 (2018)). The standard deviation is that of a sample
        (M - 1), and 0 for one member.
        """
        deviation: NDArray[np.float64] = _deviation(self.member_energies) / np.sqrt(self.n_atoms)
        return deviation

    @property
    def force_disagreement(self) -> NDArray[np.float64]:
        """``[N]`` root mean square over x, y, z of the standard deviation of the members' forces, eV/angstrom.

        :raises AnialError: if the members' forces were not requested.
        """
        if self.member_forces is None:
            raise AnialError('the force disagreement needs the forces of the members, which were not requested.')
        disagreement: NDArray[np.float64] = np.sqrt(np.mean(_deviation(self.member_forces) ** 2, axis=-1))
        return disagreement


def mean_over_members(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis, the members; the result for a cell does not depend on its batch."""
    mean: NDArray[np.float64] = _members_last(values).mean(axis=-1)
    return mean


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sample standard deviation over the first axis, 0 for a single member."""
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    deviation: NDArray[np.float64] = _members_last(values).std(axis=-1, ddof=1)
    return deviation


def _members_last(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with the members along the last axis.

    NumPy sums a single column in another order than several columns side by side, but sums rows always in the same
    order. Summing rows, the value of a cell or an atom does not depend on the rest of the batch.
    """
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))


class Engine(Protocol):
    """Evaluates one potential on batches of cells."""

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        """Return a list for each cell, valid in ``evaluate`` until an atom has moved by half of ``skin`` (angstrom)."""
        ...

    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: Sequence[NeighbourList] | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        """Return energies, and what else is requested.

        :param cells: the batch.
        :param neighbours: a list for each cell, made for the same atoms and lattice; computed if left out.
        :param forces: whether to compute the forces.
        :param stress: whether to compute the stresses.
        :param member_forces: whether to compute the forces of every member, which costs about twice as much.
        """
        ...


def make_engine(potential: Potential, settings: EngineSettings) -> Engine:
    """Return the engine that ``settings`` describe for ``potential``.

    :raises SettingsError: if potentials of this kind have no such engine, or this machine lacks the device.
    """
    engines = potential.ENGINES
    name: str = settings.engine
    if name == 'auto':
        # The first engine is the fastest on the CPU; only torch runs on other devices.
        name = next(iter(engines)) if settings.device == 'cpu' else 'torch'
    if name not in engines:
        raise SettingsError(
            f'engine.engine: potentials of kind {potential.model.kind!r} are evaluated by {", ".join(engines)}, '
            f'not by {name}.'
        )
    engine: Engine = loaded(engines[name])(potential, settings)
    return engine
