"""The state of the running trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import units
from ase.data import atomic_masses
from numpy.random import Generator
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.streams import Purpose, stream

__all__ = ('TrajectoryBatch', 'masses_of')


def masses_of(species: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the masses ``[n]`` of atoms in eV fs^2/angstrom^2, given their atomic numbers."""
    masses: NDArray[np.float64] = atomic_masses[species] / units.fs**2
    return masses


@dataclass(eq=False)
class TrajectoryBatch:
    """The state of T running trajectories with N atoms in all; changed in place.

    :param indices: ``[T]`` index of each trajectory in its task.
    :param steps: ``[T]`` number of time steps since the start of each trajectory.
    :param lattices: ``[T, 3, 3]`` angstrom.
    :param offsets: ``[T + 1]`` first atom of each trajectory.
    :param species: ``[N]`` atomic numbers.
    :param positions: ``[N, 3]`` angstrom, never wrapped.
    :param velocities: ``[N, 3]`` angstrom/fs.
    :param forces: ``[N, 3]`` eV/angstrom at ``positions``.
    :param references: ``[N, 3]`` positions for which the neighbours were listed, angstrom. They belong to the state,
        because the order in which forces are summed, and so their last digits, depends on the list.
    :param generators: random number generator of each trajectory.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = (
        'indices',
        'steps',
        'lattices',
        'offsets',
        'species',
        'positions',
        'velocities',
        'forces',
        'references',
    )

    indices: NDArray[np.int64]
    steps: NDArray[np.int64]
    lattices: NDArray[np.float64]
    offsets: NDArray[np.int64]
    species: NDArray[np.int16]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    forces: NDArray[np.float64]
    references: NDArray[np.float64]
    generators: list[Generator]

    @classmethod
    def start(
        cls, cells: Cells, *, indices: Sequence[int], schedules: Sequence[Schedule], seed: int
    ) -> TrajectoryBatch:
        """Return trajectories at their start, with velocities from the Maxwell-Boltzmann distribution at T(0).

        :param cells: initial cells.
        :param indices: index of each trajectory in its task.
        :param schedules: schedules of all trajectories of the task.
        :param seed: the random numbers of trajectory ``i`` depend only on ``(seed, i)``.
        """
        generators = [Generator(stream(Purpose.DYNAMICS, seed=seed, index=index)) for index in indices]
        temperatures = np.array([schedules[index].temperature(0.0) for index in indices])
        widths = np.sqrt(units.kB * np.repeat(temperatures, cells.n_atoms) / masses_of(cells.species))
        normal = [
            generator.standard_normal((int(n), 3)) for generator, n in zip(generators, cells.n_atoms, strict=True)
        ]
        return cls(
            indices=np.array(indices, dtype=np.int64),
            steps=np.zeros(len(cells), dtype=np.int64),
            lattices=np.array(cells.lattices),
            offsets=np.array(cells.offsets),
            species=np.array(cells.species),
            positions=np.array(cells.positions),
            velocities=np.concatenate([np.zeros((0, 3)), *normal]) * widths[:, None],
            forces=np.zeros_like(cells.positions),
            references=np.array(cells.positions),
            generators=generators,
        )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """``[T]`` number of atoms in each trajectory."""
        return np.diff(self.offsets)

    def atoms(self, trajectory: int) -> slice:
        """Return the range of the atoms of the running trajectory at position ``trajectory``."""
        return slice(int(self.offsets[trajectory]), int(self.offsets[trajectory + 1]))

    def select(self, keep: NDArray[np.bool_]) -> TrajectoryBatch:
        """Return the trajectories where ``keep`` ``[T]`` is true, with copied arrays and the same generators."""
        atoms = np.repeat(keep, self.n_atoms)
        return TrajectoryBatch(
            indices=self.indices[keep],
            steps=self.steps[keep],
            lattices=self.lattices[keep],
            offsets=_offsets(self.n_atoms[keep]),
            species=self.species[atoms],
            positions=self.positions[atoms],
            velocities=self.velocities[atoms],
            forces=self.forces[atoms],
            references=self.references[atoms],
            generators=[generator for generator, kept in zip(self.generators, keep, strict=True) if kept],
        )

    def joined(self, others: TrajectoryBatch) -> TrajectoryBatch:
        """Return these trajectories and, after them, ``others``."""
        arrays = {name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in self.ARRAYS}
        arrays['offsets'] = _offsets(np.concatenate([self.n_atoms, others.n_atoms]))
        return TrajectoryBatch(**arrays, generators=self.generators + others.generators)


def _offsets(n_atoms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first atom of each cell, and last the total number of atoms."""
    return np.concatenate([[0], np.cumsum(n_atoms)]).astype(np.int64)
